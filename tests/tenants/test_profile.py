"""The profile page: name, theme, zone, shortcuts."""

from typing import Any

import pytest
from django.test import Client

from apps.audit.models import AuditEvent
from apps.core.scope import system_scope
from apps.tenants.models import User
from tests.factories import make_organization, make_user

pytestmark = pytest.mark.django_db
PROFILE = "/profile/"


@pytest.fixture
def ada(client: Client) -> User:
    user = make_user(name="Ada")
    make_organization(name="Acme", owner=user)
    client.force_login(user)
    return user


def _form(**changed: str) -> dict[str, str]:
    return {"name": "Ada", "theme": "", "time_zone": "UTC", "keyboard_shortcuts": "on"} | changed


def test_profile__changed__is_stored_and_audited_with_the_name_apart(client: Client, ada: User) -> None:
    form = _form(name=" Ada  Lovelace ", theme="dark", time_zone="Europe/Berlin")
    del form["keyboard_shortcuts"]
    assert client.post(PROFILE, form)["Location"] == PROFILE
    ada.refresh_from_db()
    stored = (ada.name, ada.theme, ada.time_zone, ada.keyboard_shortcuts)
    assert stored == ("Ada Lovelace", "dark", "Europe/Berlin", False)
    with system_scope():
        event = AuditEvent.all_organizations.get(action="user.updated")
    assert event.changes["name"] == "personal"
    assert event.changes["time_zone"] == ["UTC", "Europe/Berlin"]


def test_profile__theme__is_rendered_by_the_server(client: Client, ada: User) -> None:
    client.post(PROFILE, _form(theme="dark"))
    assert '<html lang="en" data-theme="dark"' in client.get(PROFILE).text


def test_profile__unchanged__writes_nothing(client: Client, ada: User) -> None:
    client.post(PROFILE, _form())
    with system_scope():
        assert not AuditEvent.all_organizations.filter(action="user.updated").exists()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("time_zone", "Europe/Atlantis", "There is no such time zone."),
        ("time_zone", "../../etc/passwd", "There is no such time zone."),
        ("time_zone", "", "This field is required."),
        ("theme", "blue", "Select a valid choice."),
        ("name", "x" * 101, "at most 100 characters"),
    ],
)
def test_profile__bad_value__is_refused_naming_the_field(
    client: Client, ada: User, field: str, value: str, words: str
) -> None:
    response = client.post(PROFILE, _form(**{field: value}))
    assert (response.status_code, words in response.text) == (422, True)
    ada.refresh_from_db()
    assert (ada.time_zone, ada.theme, ada.name) == ("UTC", "", "Ada")


def test_profile__page__shows_the_time_of_the_zone_and_the_shortcuts(client: Client, ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(time_zone="Asia/Kolkata")
    page = client.get(PROFILE).text
    assert "UTC+05:30" in page
    assert '<option value="Asia/Kolkata">' in page
    assert "<kbd>" in page


@pytest.mark.parametrize("address", [PROFILE, "/profile/security/"])
def test_account_pages__few_statements(
    client: Client, ada: User, address: str, django_assert_max_num_queries: Any
) -> None:
    client.get(address)
    with django_assert_max_num_queries(15):
        assert client.get(address).status_code == 200
