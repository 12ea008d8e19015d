"""Staff pages: looking is free of effect, acting is audited and takes its own right."""

from typing import Any

import pytest
from django.test import Client

from apps.audit.models import AuditEvent
from apps.core.scope import organization_scope, system_scope
from apps.tenants.models import APIKey, Invitation, User
from tests.factories import TENANT_FACTORIES, make_api_key, make_project, make_user

pytestmark = pytest.mark.django_db

KEYS = "/admin/tenants/apikey/"
USERS = "/admin/tenants/user/"


def _act(client: Client, path: str, action: str, row: Any) -> int:
    return client.post(path, {"action": action, "_selected_action": [str(row.pk)]}).status_code


def _actors(action: str) -> list[str]:
    with system_scope():
        found = AuditEvent.all_organizations.filter(action=action)
        return list(found.values_list("actor_kind", flat=True))


def _staff_without_rights() -> User:
    staff = make_user(staff=True)
    User.objects.filter(id=staff.id).update(is_superuser=False)
    return User.objects.get(id=staff.id)


def test_revoke__superuser__ends_the_key_and_is_audited(client: Client) -> None:
    key, token = make_api_key(project=make_project())
    client.force_login(make_user(staff=True))
    page = client.get(KEYS).content.decode()
    assert key.masked in page
    assert token not in page
    assert _act(client, KEYS, "revoke", key) == 302
    with organization_scope(key.organization_id):
        assert APIKey.objects.get(id=key.id).revoked_at is not None
    assert _actors("api_key.revoked") == ["staff"]


def test_revoke__staff_without_the_right__does_nothing(client: Client) -> None:
    key, _ = make_api_key(project=make_project())
    client.force_login(_staff_without_rights())
    assert _act(client, KEYS, "revoke", key) in {302, 403}
    with organization_scope(key.organization_id):
        assert APIKey.objects.get(id=key.id).revoked_at is None


def test_withdraw__superuser__kills_an_open_invitation_and_is_audited(client: Client) -> None:
    project = make_project()
    row = TENANT_FACTORIES["tenants.Invitation"](project)
    client.force_login(make_user(staff=True))
    path = "/admin/tenants/invitation/"
    assert _act(client, path, "withdraw", row) == 302
    with organization_scope(project.organization_id):
        assert Invitation.objects.get(pk=row.pk).revoked_at is not None
    assert _actors("invitation.revoked") == ["staff"]


@pytest.mark.parametrize("model", ["tenants.CustomRole", "tenants.Invitation", "tenants.Membership"])
def test_people__superuser__reads_and_changes_nothing(client: Client, model: str) -> None:
    row = TENANT_FACTORIES[model](make_project())
    client.force_login(make_user(staff=True))
    base = f"/admin/{model.lower().replace('.', '/')}/"
    assert client.get(f"{base}?q=example").status_code == 200
    assert client.get(f"{base}{row.pk}/change/").status_code == 200
    assert client.post(f"{base}{row.pk}/change/", {"role": "owner"}).status_code == 403


def test_deactivate__superuser__shuts_the_user_out(client: Client) -> None:
    user = make_user()
    client.force_login(make_user(staff=True))
    _act(client, USERS, "deactivate", user)
    user.refresh_from_db()
    assert not user.is_active
    assert _actors("user.deactivated") == ["staff"]


def test_user_page__superuser__hides_the_password_hash(client: Client) -> None:
    user = make_user(password="a long enough one")
    client.force_login(make_user(staff=True))
    page = client.get(f"{USERS}{user.pk}/change/").content.decode()
    assert user.email in page
    assert user.password not in page
    assert client.post(f"{USERS}{user.pk}/change/", {"email": "x@example.com"}).status_code == 403
    assert client.post(f"{USERS}{user.pk}/delete/", {"post": "yes"}).status_code == 403
