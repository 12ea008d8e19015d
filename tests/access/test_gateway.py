"""Every route of the gateway against every kind of key, on the real server."""

from datetime import timedelta

import httpx2
import pytest
from django.utils import timezone

from apps.audit.actor import SYSTEM
from apps.core.scope import organization_scope
from apps.tenants import services
from apps.tenants.models import APIKey, Project
from apps.tenants.roles import SCOPE_PERMISSIONS, Scope
from tests.access.matrix import PUBLIC, Route
from tests.access.routes_gateway import GATEWAY, PLAYGROUND
from tests.factories import make_api_key, make_project

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def project() -> Project:
    return make_project()


def _status(url: str, route: Route, token: str | None) -> int:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    address = url + route.path.replace("*", "none")
    body: dict[str, str] | None = {} if route.method == "POST" else None
    return httpx2.request(route.method, address, headers=headers, json=body, timeout=20).status_code


def _ended(project: Project, how: str) -> str:
    key, token = make_api_key(project=project)
    with organization_scope(project.organization_id):
        if how == "revoked":
            services.revoke_api_key(actor=SYSTEM, key=key)
        else:
            APIKey.objects.filter(id=key.id).update(expires_at=timezone.now() - timedelta(seconds=1))
    return token


def test_gateway__each_key__may_exactly_what_its_scope_says(gateway_url: str, project: Project) -> None:
    tokens = {scope: make_api_key(project=project, scopes=(scope,))[1] for scope in Scope}
    for route in GATEWAY:
        for scope, permissions in SCOPE_PERMISSIONS.items():
            status = _status(gateway_url, route, tokens[scope])
            may = route.needs == PUBLIC or route.needs in permissions
            refused = 401 if route.needs == PLAYGROUND else 403
            assert (status not in {401, 403, 500}) if may else status == refused, (route, scope, status)


@pytest.mark.parametrize("how", ["revoked", "expired", "none", "nonsense"])
def test_gateway__without_a_good_key__is_shut(gateway_url: str, project: Project, how: str) -> None:
    tokens = {"none": None, "nonsense": "psk_live_nonsense"}
    token = tokens[how] if how in tokens else _ended(project, how)
    for route in GATEWAY:
        assert _status(gateway_url, route, token) == (200 if route.needs == PUBLIC else 401), route
