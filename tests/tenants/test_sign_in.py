"""Sign-up, verification, sign-in, reset: the walk, the limits, and what a stranger can learn."""

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.sessions.models import Session
from django.test import Client

from apps.audit.actor import SYSTEM
from apps.audit.models import AuditEvent
from apps.core import mail
from apps.core.models import OutgoingMail
from apps.core.scope import system_scope
from apps.tenants import services
from apps.tenants.models import User
from tests.factories import PASSWORD, make_organization, make_user

pytestmark = pytest.mark.django_db

SIGN_UP = "/accounts/signup/"
SIGN_IN = "/accounts/login/"


@pytest.fixture(autouse=True)
def _outbox(settings: Any) -> None:
    """Django's test runner swaps the mail backend; here it is the real one. Hashing is made cheap."""
    settings.EMAIL_BACKEND = "apps.core.mail.OutboxBackend"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def _mails() -> list[str]:
    with system_scope():
        return [mail.message_text(row) for row in OutgoingMail.objects.order_by("id")]


def _link(text: str) -> str:
    found = re.search(r"http://testserver(/\S+)", text)
    assert found is not None
    return found[1]


def _sign_in(client: Client, email: str, password: str = PASSWORD) -> Any:
    return client.post(SIGN_IN, {"login": email, "password": password})


def _actions(outcome: str) -> list[str]:
    with system_scope():
        found = AuditEvent.all_organizations.filter(outcome=outcome, action__startswith="session.")
        return list(found.values_list("action", flat=True))


def _without_ids(response: Any) -> str:
    text = re.sub(r"req_\w+|[\w.+-]+@example\.com", "", response.content.decode())
    return re.sub(r'(csrfmiddlewaretoken" value=|csrf-token" content=)"\w+"', "", text)


def test_sign_up__new_address__is_verified_by_mail_and_lands_on_naming_an_organization(
    client: Client,
) -> None:
    sent = client.post(SIGN_UP, {"email": "Ada@example.com", "password1": PASSWORD})
    assert sent["Location"] == "/accounts/confirm-email/"
    assert _sign_in(Client(), "ada@example.com")["Location"] == "/accounts/confirm-email/"
    link = _link(_mails()[0])
    assert EmailAddress.objects.get().verified is False
    assert client.get(link).status_code == 200
    assert EmailAddress.objects.get().verified is False, "a mail scanner that opens the link confirms nothing"
    assert client.post(link)["Location"] == "/"
    assert client.get("/")["Location"] == "/new/"
    assert _actions("done") == ["session.started"]


def test_sign_up__link_opened_in_another_browser__confirms_and_leads_to_sign_in(client: Client) -> None:
    client.post(SIGN_UP, {"email": "ada@example.com", "password1": PASSWORD})
    other = Client()
    assert other.post(_link(_mails()[0]))["Location"].startswith(SIGN_IN)
    assert _sign_in(other, "ada@example.com")["Location"] == "/"


def test_sign_up__known_address__is_answered_alike_and_told_by_mail(client: Client) -> None:
    make_user(email="ada@example.com", password=PASSWORD)
    known = client.post(SIGN_UP, {"email": "ada@example.com", "password1": "another long password"})
    new = Client().post(SIGN_UP, {"email": "new@example.com", "password1": "another long password"})
    assert (known.status_code, known["Location"]) == (new.status_code, new["Location"])
    assert "already" in _mails()[0]
    assert _sign_in(Client(), "ada@example.com")["Location"] == "/"


@pytest.mark.parametrize("password", ["short", "password12", "ada@example.com"])
def test_sign_up__weak_password__is_refused(client: Client, password: str) -> None:
    response = client.post(SIGN_UP, {"email": "ada@example.com", "password1": password})
    assert response.status_code == 200
    assert not User.objects.exists()


def test_sign_in__wrong_password_and_unknown_address__are_answered_alike() -> None:
    make_user(email="ada@example.com", password=PASSWORD)
    wrong = _sign_in(Client(), "ada@example.com", "not the password")
    unknown = _sign_in(Client(), "eve@example.com", "not the password")
    assert _without_ids(wrong) == _without_ids(unknown)
    assert wrong.status_code == 200


@pytest.mark.django_db(transaction=True)
def test_sign_in__wrong_password__is_audited() -> None:
    make_user(email="ada@example.com", password=PASSWORD)
    _sign_in(Client(), "ada@example.com", "not the password")
    assert _actions("refused") == ["session.refused"]


def test_sign_in__five_wrong_passwords__locks_the_address_for_a_while() -> None:
    make_user(email="ada@example.com", password=PASSWORD)
    for _ in range(5):
        _sign_in(Client(), "ada@example.com", "not the password")
    response = _sign_in(Client(), "ada@example.com")
    assert response.status_code == 200
    assert "Too many tries, so this is closed for now. Try again in 5 minutes." in response.text


def test_sign_in__good__starts_a_new_session(client: Client) -> None:
    make_organization(owner=make_user(email="ada@example.com", password=PASSWORD))
    client.get(SIGN_IN)
    assert _sign_in(client, "Ada@Example.com")["Location"] == "/"
    assert client.session.get("_auth_user_id") is not None
    assert Session.objects.count() == 1


def test_sign_in__inactive_user__gets_no_session(client: Client) -> None:
    user = make_user(email="ada@example.com", password=PASSWORD)
    services.deactivate_user(actor=SYSTEM, user=user)
    _sign_in(client, "ada@example.com")
    assert client.get("/new/").status_code == 302


def test_session__user_deactivated_meanwhile__ends(client: Client) -> None:
    user = make_user(email="ada@example.com")
    client.force_login(user)
    assert client.get("/new/").status_code == 200
    services.deactivate_user(actor=SYSTEM, user=user)
    assert client.get("/new/")["Location"].startswith(SIGN_IN)


def test_sign_in__next_of_another_site__is_ignored(client: Client) -> None:
    make_user(email="ada@example.com", password=PASSWORD)
    response = client.post(
        f"{SIGN_IN}?next=https://evil.example/",
        {"login": "ada@example.com", "password": PASSWORD, "next": "https://evil.example/"},
    )
    assert response["Location"] == "/"


def test_addresses__one_that_an_unproved_account_has_as_its_own__is_no_primary_and_says_why(
    client: Client,
) -> None:
    ada = make_user(email="ada@example.com", password=PASSWORD)
    make_organization(owner=ada)
    services.create_user(actor=SYSTEM, email="new@example.com", password=PASSWORD)
    EmailAddress.objects.create(user=ada, email="new@example.com", verified=True)
    _sign_in(client, "ada@example.com")
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = client.post("/accounts/email/", {"action_primary": "", "email": "new@example.com"}, follow=True)
    assert (page.status_code, "Another account was opened" in page.text) == (200, True)
    assert EmailAddress.objects.get(user=ada, primary=True).email == "ada@example.com"
    ada.refresh_from_db()
    assert ada.email == "ada@example.com"


def test_addresses__one_of_nobody_else__becomes_primary(client: Client) -> None:
    ada = make_user(email="ada@example.com", password=PASSWORD)
    EmailAddress.objects.create(user=ada, email="new@example.com", verified=True)
    _sign_in(client, "ada@example.com")
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    client.post("/accounts/email/", {"action_primary": "", "email": "new@example.com"})
    ada.refresh_from_db()
    assert ada.email == "new@example.com"


def test_reset__known_and_unknown_address__are_answered_alike(client: Client) -> None:
    make_user(email="ada@example.com", password=PASSWORD)
    known, unknown = (
        Client().post("/accounts/password/reset/", {"email": email}, follow=True)
        for email in ("ada@example.com", "eve@example.com")
    )
    assert _without_ids(known) == _without_ids(unknown)
    assert "Choose a new password" in _mails()[0]
    assert "there is no account" in _mails()[1]


def test_reset__link_followed__sets_the_password_once(client: Client) -> None:
    make_user(email="ada@example.com", password=PASSWORD)
    client.post("/accounts/password/reset/", {"email": "ada@example.com"})
    link = _link(_mails()[0])
    form = client.get(link)["Location"]
    new = "a wholly different one"
    assert client.post(form, {"password1": new, "password2": new}).status_code == 302
    assert _sign_in(Client(), "ada@example.com", new)["Location"] == "/"
    again = Client().get(link)
    assert "does not work" in again.text


def test_admin__anonymous__signs_in_where_everybody_does(client: Client) -> None:
    assert client.get("/admin/", follow=True).redirect_chain[-1][0].startswith(SIGN_IN)
    assert client.get("/admin/login/")["Location"].startswith(SIGN_IN)


def test_sign_in__without_redis__is_refused_for_now(client: Client, settings: Any) -> None:
    """Sign-in's limits fail closed: nobody may guess passwords while they can't be counted."""
    make_user(email="ada@example.com", password=PASSWORD)
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "redis://127.0.0.1:1/0"}}
    response = _sign_in(client, "ada@example.com")
    assert (response.status_code, int(response["Retry-After"]) > 0) == (503, True)
    assert client.get("/new/").status_code == 302
