"""Every route against every kind of caller. The table is in ``matrix.py`` and ``routes_<room>.py``."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from apps.audit.actor import SYSTEM
from apps.core.scope import organization_scope
from apps.gateway.routes import ROUTES as GATEWAY_ROUTES
from apps.gateway.routes import KeyRoute, PlaygroundRoute
from apps.gateway.routes import Route as GatewayRoute
from apps.tenants import services
from apps.tenants.models import APIKey, Organization, Project, User
from apps.tenants.roles import ANY_MEMBER, ROLE_PERMISSIONS, SCOPE_PERMISSIONS, Permission, Role, Scope
from tests.access import routes_gateway
from tests.access.matrix import (
    ANY_METHOD,
    PUBLIC,
    SIGNED_IN,
    STAFF,
    Fill,
    Route,
    admin_paths,
    found_routes,
    table,
)
from tests.factories import (
    PASSWORD,
    make_api_key,
    make_member,
    make_organization,
    make_project,
    make_user,
    owner_of,
)

ROWS = table()
TENANT_ROWS = [(route, fills) for route, fills in ROWS if route.needs not in {PUBLIC, SIGNED_IN, STAFF}]
OTHER_ROWS = [route for route, _ in ROWS if route.needs in {PUBLIC, SIGNED_IN, STAFF}]
SIGN_IN = ("/accounts/login/", "/admin/login/")

Outcome = str
ALLOWED, REJECTED, MISSING = "allowed", "rejected", "404"
TO_SIGN_IN, UNKNOWN, FORBIDDEN = "to sign in", "401", "403"
SHUT_OUT = {TO_SIGN_IN, UNKNOWN, FORBIDDEN}


def _name(route: Route) -> str:
    return f"{route.method} /{route.path}"


for_tenant_rows = pytest.mark.parametrize(
    ("route", "fills"), TENANT_ROWS, ids=[_name(route) for route, _ in TENANT_ROWS]
)


@dataclass
class World:
    """A victim organization with a member of each role and keys of each kind; a stranger with their own."""

    project: Project
    stranger_project: Project
    clients: dict[str, Client] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    stranger_key: str = ""

    @property
    def organization(self) -> Organization:
        return self.project.organization

    def values(self, route: Route, fills: Mapping[str, Fill]) -> dict[str, str]:
        """Real ids of the victim for a pattern's parameters."""
        with organization_scope(self.project.organization_id):
            found = {name: fills[name](self.project) for name in sorted(route.parameters)}
        return found | {"organization": self.organization.slug, "project": self.project.slug}


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """One world for all rows, in a transaction that is rolled back."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield _make_world()
        transaction.set_rollback(True)


def _make_world() -> World:
    stranger = make_user(password=PASSWORD)
    project = make_project()
    stranger_project = make_project(organization=make_organization(owner=stranger))
    world = World(project, stranger_project)
    world.clients["anonymous"] = _client(None)
    world.clients["stranger"] = _client(stranger)
    for role in Role:
        world.clients[role] = _client(_member(project, role))
    for scope in Scope:
        world.keys[scope] = make_api_key(project=project, scopes=(scope,))[1]
    world.keys["revoked"] = _ended_key(project, revoke=True)
    world.keys["expired"] = _ended_key(project, revoke=False)
    world.stranger_key = make_api_key(project=stranger_project)[1]
    return world


def _client(user: User | None) -> Client:
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user)
    return client


def _member(project: Project, role: Role) -> User:
    if role is Role.OWNER:
        return owner_of(project.organization)
    return make_member(organization=project.organization, role=role)


def _ended_key(project: Project, *, revoke: bool) -> str:
    key, token = make_api_key(project=project)
    with organization_scope(project.organization_id):
        if revoke:
            services.revoke_api_key(actor=SYSTEM, key=key)
        else:
            APIKey.objects.filter(id=key.id).update(expires_at=timezone.now() - timedelta(seconds=1))
    return token


@contextmanager
def undone() -> Iterator[None]:
    """Take back whatever a call did."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _call(client: Client, method: str, address: str, headers: Mapping[str, str] | None = None) -> Outcome:
    # Signing out by a rolled-back call must not cost the client its cookie.
    cookies = deepcopy(client.cookies)
    with undone():
        is_json = address.startswith(("/api/", "/v1/"))
        data, kind = ("{}", "application/json") if is_json else ("", "application/x-www-form-urlencoded")
        response: Any = client.generic(method, address, data, kind, headers=dict(headers or {}))
    client.cookies = cookies
    return _outcome(response, f"{method} {address}")


def _outcome(response: HttpResponse, call: str) -> Outcome:
    assert response.status_code != 500, call
    if response.status_code == 302 and response["Location"].startswith(SIGN_IN):
        return TO_SIGN_IN
    named = {401: UNKNOWN, 403: FORBIDDEN, 404: MISSING}
    return named.get(response.status_code, REJECTED if response.status_code >= 400 else ALLOWED)


def _session_headers(route: Route, project: Project) -> dict[str, str]:
    return {"Promptsaas-Project": project.public_id} if route.is_api else {}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_table__every_route_of_the_resolver__stands_in_it_with_its_permission() -> None:
    declared = {(route.method, route.path): route.needs for route, _ in ROWS}
    found = {(method, each.path): needs for each in found_routes() for method, needs in each.methods.items()}
    assert set(found) - set(declared) == set(), (
        "routes without a row: add them to tests/access/routes_<room>.py"
    )
    assert set(declared) - set(found) == set(), "rows without a route"
    differing = {key for key, needs in found.items() if needs is not None and needs != declared[key]}
    assert differing == set(), "the view declares another permission"


def test_table__every_route_of_the_gateway__stands_in_it_with_its_permission() -> None:
    declared = {(route.method, route.path): route.needs for route in routes_gateway.GATEWAY}
    found = {(route.method, route.path): _needs(route) for route in GATEWAY_ROUTES}
    assert found == declared


def _needs(route: GatewayRoute) -> str:
    if isinstance(route, PlaygroundRoute):
        return routes_gateway.PLAYGROUND
    return route.permission if isinstance(route, KeyRoute) else PUBLIC


def test_table__every_row__names_a_known_right() -> None:
    known = {*Permission, ANY_MEMBER, PUBLIC, SIGNED_IN, STAFF}
    assert {route.needs for route, _ in ROWS} <= known


@for_tenant_rows
def test_route__outsiders__learn_and_change_nothing(
    world: World, route: Route, fills: Mapping[str, Fill]
) -> None:
    address = route.address(world.values(route, fills))
    anonymous = _call(world.clients["anonymous"], route.method, address)
    assert anonymous == (UNKNOWN if route.is_api else TO_SIGN_IN)
    headers = _session_headers(route, world.project)
    assert _call(world.clients["stranger"], route.method, address, headers) == MISSING


@for_tenant_rows
def test_route__each_role__may_exactly_what_the_table_says(
    world: World, route: Route, fills: Mapping[str, Fill]
) -> None:
    with undone():
        address = route.address(world.values(route, fills))
        headers = _session_headers(route, world.project)
        for role, may in _tried(route.needs):
            outcome = _call(world.clients[role], route.method, address, headers)
            assert (outcome not in SHUT_OUT) if may else (outcome == FORBIDDEN), (role, outcome)


def _tried(needs: str) -> list[tuple[Role, bool]]:
    """Every role that may not, the weakest that may, and the owner: whole pages take most of the time."""
    held = sorted(ROLE_PERMISSIONS.items(), key=lambda each: len(each[1]))
    able = [role for role, permissions in held if needs == ANY_MEMBER or needs in permissions]
    return [
        *((role, False) for role in Role if role not in able),
        *((role, True) for role in {able[0], able[-1]}),
    ]


@pytest.mark.parametrize(
    ("route", "fills"),
    [row for row in TENANT_ROWS if row[0].is_api],
    ids=[_name(route) for route, _ in TENANT_ROWS if route.is_api],
)
def test_route__each_key__may_exactly_what_its_scope_says(
    world: World, route: Route, fills: Mapping[str, Fill]
) -> None:
    address = route.address(world.values(route, fills))
    client = world.clients["anonymous"]
    for ended in ("revoked", "expired"):
        assert _call(client, route.method, address, _bearer(world.keys[ended])) == UNKNOWN, ended
    for scope, permissions in SCOPE_PERMISSIONS.items():
        outcome = _call(client, route.method, address, _bearer(world.keys[scope]))
        may = route.needs == ANY_MEMBER or route.needs in permissions
        assert (outcome not in SHUT_OUT) if may else (outcome == FORBIDDEN), (scope, outcome)


@pytest.mark.parametrize(
    ("route", "fills"),
    [row for row in TENANT_ROWS if row[0].parameters and not row[0].shared],
    ids=[_name(route) for route, _ in TENANT_ROWS if route.parameters and not route.shared],
)
def test_route__anothers_ids_under_the_strangers_own_project__are_not_found(
    world: World, route: Route, fills: Mapping[str, Fill]
) -> None:
    own = {
        "organization": world.stranger_project.organization.slug,
        "project": world.stranger_project.slug,
    }
    address = route.address(world.values(route, fills) | own)
    client = world.clients["stranger"]
    headers = _session_headers(route, world.stranger_project)
    # The empty body of a write may be refused before the object is looked for.
    refused = {MISSING} if route.method == "GET" else {MISSING, REJECTED}
    assert _call(client, route.method, address, headers) in refused
    if route.is_api:
        by_key = _call(world.clients["anonymous"], route.method, address, _bearer(world.stranger_key))
        assert by_key in refused | {FORBIDDEN}


@pytest.mark.parametrize("route", OTHER_ROWS, ids=[_name(route) for route in OTHER_ROWS])
def test_route__without_organization__opens_to_whom_the_table_says(world: World, route: Route) -> None:
    address = route.address({})
    methods = ("GET", "POST") if route.method == ANY_METHOD else (route.method,)
    for method in methods:
        anonymous = _call(world.clients["anonymous"], method, address)
        if route.needs == PUBLIC:
            assert anonymous not in SHUT_OUT
        else:
            assert anonymous == TO_SIGN_IN
        stranger = _call(world.clients["stranger"], method, address)
        assert stranger in {FORBIDDEN, MISSING} if route.needs == STAFF else stranger not in SHUT_OUT


def test_admin__every_route__is_for_staff(world: World) -> None:
    for path in admin_paths():
        address = Route("GET", path, STAFF).address(_AnyValue()).replace("\\Z", "")
        for method in ("GET", "POST"):
            anonymous = _call(world.clients["anonymous"], method, address)
            stranger = _call(world.clients["stranger"], method, address)
            refused = SHUT_OUT | {MISSING}
            assert {anonymous, stranger} <= refused or path == "admin/logout/", address


class _AnyValue(dict[str, str]):
    """Fills every parameter of the admin's patterns."""

    def __missing__(self, name: str) -> str:
        return "1"


@pytest.mark.django_db
def test_admin__staff__sees_every_list(client: Client) -> None:
    make_organization()
    client.force_login(make_user(staff=True))
    lists = [
        path for path in admin_paths() if path.count("/") == 3 and "<" not in path and "auth" not in path
    ]
    for path in lists:
        assert client.get(f"/{path}").status_code in {200, 302}, path
