"""Authenticator apps and recovery codes: set-up, signing in, limits, what is stored and what is told."""

import base64
import json
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from apps.audit.models import AuditEvent
from apps.core import crypto, mail
from apps.core.models import OutgoingMail
from apps.core.scope import system_scope
from apps.tenants import account_queries, second_factors
from apps.tenants.models import User
from tests.factories import PASSWORD, make_organization, make_user
from tests.tenants.mfa_support import (
    ACTIVATE,
    CODES,
    CONFIRM,
    code_of,
    confirm_password,
    recovery_codes,
    set_up_app,
    sign_in,
)

pytestmark = pytest.mark.django_db
ADA = "ada@example.com"
_NEW_KEY = base64.b64encode(b"n" * 32).decode()


@pytest.fixture(autouse=True)
def _outbox(settings: Any) -> None:
    settings.EMAIL_BACKEND = "apps.core.mail.OutboxBackend"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ada() -> User:
    user = make_user(email=ADA, password=PASSWORD)
    make_organization(name="Acme", owner=user)
    return user


@pytest.fixture
def signed_in(client: Client, ada: User) -> Client:
    sign_in(client, ADA)
    confirm_password(client)
    return client


def _actions() -> list[str]:
    with system_scope():
        return list(AuditEvent.all_organizations.order_by("id").values_list("action", flat=True))


def _subjects() -> list[str]:
    with system_scope():
        return list(OutgoingMail.objects.order_by("id").values_list("subject", flat=True))


def test_set_up__without_a_fresh_password__asks_for_it_first(client: Client, ada: User) -> None:
    sign_in(client, ADA)
    response = client.get(ACTIVATE)
    assert response["Location"] == f"/accounts/reauthenticate/?next={ACTIVATE.replace('/', '%2F')}"


@pytest.mark.django_db(transaction=True)
def test_set_up__right_code__is_on_audited_and_mailed_with_codes_shown_once(signed_in: Client) -> None:
    _, response = set_up_app(signed_in)
    assert response["Location"] == CODES
    page = signed_in.get(CODES)
    assert len(recovery_codes(page)) == 10
    assert page["Cache-Control"] == "no-store"
    again = signed_in.get(CODES)
    assert recovery_codes(again) == []
    assert "10 of 10 are left" in again.text
    assert "second_factor.added" in _actions()
    assert _subjects() == ["Authenticator app set up"]


def test_set_up__page__shows_the_picture_inline_and_the_secret_as_text(signed_in: Client) -> None:
    page = signed_in.get(ACTIVATE)
    assert 'src="data:image/svg+xml;base64,' in page.text
    stored = signed_in.session["mfa.totp.secret"]
    secret = second_factors.unseal_secret(stored)
    assert " ".join(secret[at : at + 4] for at in range(0, 32, 4)) in page.text
    assert secret not in json.dumps(dict(signed_in.session.items())), "it waits sealed, not in the clear"


def test_set_up__wrong_code__changes_nothing(signed_in: Client) -> None:
    signed_in.get(ACTIVATE)
    response = signed_in.post(ACTIVATE, {"code": "000000"})
    assert "This code is not right" in response.text
    assert not Authenticator.objects.exists()


def test_stored__secret_and_seed__are_sealed_and_bound_to_their_user(signed_in: Client, ada: User) -> None:
    secret, _ = set_up_app(signed_in)
    app = Authenticator.objects.get(type="totp")
    assert secret not in json.dumps(app.data)
    assert base64.b32decode(secret) not in base64.b64decode(app.data["secret"].rpartition(":")[2])
    assert second_factors.unseal_secret(app.data["secret"]) == secret
    for row in Authenticator.objects.all():
        stored = row.data[second_factors.SEALED_FIELDS[row.type]]
        assert second_factors.is_sealed_for(stored, ada.id)
        moved = stored.replace(ada.id.hex, make_user().id.hex)
        with pytest.raises(crypto.SealBroken):
            second_factors.unseal_secret(moved)


def test_stored__secret_after_the_master_key_was_rotated__still_opens(
    signed_in: Client, settings: Any
) -> None:
    secret, _ = set_up_app(signed_in)
    stored = Authenticator.objects.get(type="totp").data["secret"]
    old = settings.MASTER_KEYS
    settings.MASTER_KEYS = [*(key if ":" in key else f"1:{key}" for key in old), f"99:{_NEW_KEY}"]
    try:
        assert crypto.rewrap_data_keys() > 0
        crypto.forget_all_data_keys()
        assert second_factors.unseal_secret(stored) == secret
        settings.MASTER_KEYS = [f"99:{_NEW_KEY}"]
        crypto.forget_all_data_keys()
        assert second_factors.unseal_secret(stored) == secret
    finally:
        settings.MASTER_KEYS = old
        crypto.forget_all_data_keys()


def test_sign_in__with_an_app__takes_its_code(signed_in: Client) -> None:
    secret, _ = set_up_app(signed_in)
    browser = Client()
    assert sign_in(browser, ADA)["Location"] == CONFIRM
    assert browser.get("/acme/default/prompts/")["Location"].startswith("/accounts/login/"), "not in yet"
    assert browser.post(CONFIRM, {"code": "000000"}).status_code == 200
    assert browser.post(CONFIRM, {"code": code_of(secret)})["Location"] == "/"
    assert browser.get("/acme/default/prompts/").status_code == 200


def test_sign_in__used_code__works_once(signed_in: Client) -> None:
    secret, _ = set_up_app(signed_in)
    code = code_of(secret)
    first, second = Client(), Client()
    sign_in(first, ADA)
    assert first.post(CONFIRM, {"code": code}).status_code == 302
    sign_in(second, ADA)
    assert "This code is not right" in second.post(CONFIRM, {"code": code}).text
    set_up_code = code_of(secret, later=-1)
    assert "This code is not right" in second.post(CONFIRM, {"code": set_up_code}).text


def test_sign_in__recovery_code__works_once_and_is_counted(signed_in: Client, ada: User) -> None:
    set_up_app(signed_in)
    code = recovery_codes(signed_in.get(CODES))[0]
    browser = Client()
    sign_in(browser, ADA)
    assert browser.post(CONFIRM, {"code": code})["Location"] == "/"
    again = Client()
    sign_in(again, ADA)
    assert again.post(CONFIRM, {"code": code}).status_code == 200
    assert "9 of 10 left" in browser.get("/profile/security/").text
    assert "recovery_code.used" in _actions()


def test_sign_in__row_copied_from_another_account__opens_nothing(signed_in: Client) -> None:
    secret, _ = set_up_app(signed_in)
    victim = make_user(email="eve@example.com", password=PASSWORD)
    row = Authenticator.objects.get(type="totp")
    Authenticator.objects.create(user=victim, type="totp", data=row.data)
    browser = Client()
    sign_in(browser, "eve@example.com")
    response = browser.post(CONFIRM, {"code": code_of(secret)})
    assert "can&#x27;t be read" in response.text


@pytest.mark.django_db(transaction=True)
def test_sign_in__five_wrong_codes__closes_for_the_user_and_says_until_when(signed_in: Client) -> None:
    secret, _ = set_up_app(signed_in)
    browser = Client()
    sign_in(browser, ADA)
    for _ in range(5):
        browser.post(CONFIRM, {"code": "000000"})
    response = browser.post(CONFIRM, {"code": code_of(secret)})
    assert "Try again in 5 minutes." in response.text
    other_address = Client(REMOTE_ADDR="203.0.113.7")
    sign_in(other_address, ADA)
    assert "Try again in 5 minutes." in other_address.post(CONFIRM, {"code": code_of(secret)}).text
    assert _actions().count("second_factor.refused") == 7


def test_new_codes__old_ones__end(signed_in: Client) -> None:
    set_up_app(signed_in)
    old = recovery_codes(signed_in.get(CODES))
    response = signed_in.post(f"{CODES}generate/")
    assert response["Location"] == CODES
    new = recovery_codes(signed_in.get(CODES))
    assert not set(old) & set(new)
    browser = Client()
    sign_in(browser, ADA)
    assert browser.post(CONFIRM, {"code": old[0]}).status_code == 200
    assert browser.post(CONFIRM, {"code": new[0]}).status_code == 302
    assert "recovery_codes.generated" in _actions()


def test_codes__download__is_the_text_that_the_page_shows(signed_in: Client) -> None:
    set_up_app(signed_in)
    page = signed_in.get(CODES)
    encoded = page.text.partition("base64,")[2].partition('"')[0]
    text = base64.b64decode(encoded).decode()
    assert text.split("\r\n")[2:-1] == recovery_codes(page)
    assert ADA in text


@pytest.mark.django_db(transaction=True)
def test_remove__the_only_factor__ends_the_codes_too_and_is_mailed(signed_in: Client, ada: User) -> None:
    set_up_app(signed_in)
    assert "your recovery codes end" in signed_in.get("/accounts/2fa/totp/deactivate/").text
    signed_in.post("/accounts/2fa/totp/deactivate/")
    assert not Authenticator.objects.exists()
    assert sign_in(Client(), ADA)["Location"] == "/"
    assert _subjects()[-1] == "Authenticator app removed"
    assert "second_factor.removed" in _actions()
    assert signed_in.get(CODES)["Location"] == "/profile/security/"


def test_sign_in__is_audited__with_the_ways_that_were_used(signed_in: Client) -> None:
    secret, _ = set_up_app(signed_in)
    browser = Client()
    sign_in(browser, ADA)
    browser.post(CONFIRM, {"code": code_of(secret)})
    with system_scope():
        event = AuditEvent.all_organizations.filter(action="session.started").order_by("-id")[0]
    assert event.changes["by"] == [None, ["password", "totp"]]


def test_users_with_mfa__app_or_passkey__counts_and_codes_alone_do_not(
    signed_in: Client, ada: User, django_assert_num_queries: Any
) -> None:
    set_up_app(signed_in)
    bare, codes_only = make_user(), make_user()
    Authenticator.objects.create(user=codes_only, type="recovery_codes", data={"seed": "x", "used_mask": 0})
    with django_assert_num_queries(1):
        assert account_queries.users_with_mfa([ada.id, bare.id, codes_only.id]) == {ada.id}


def test_mail__of_a_new_factor__says_what_when_and_from_where(signed_in: Client) -> None:
    set_up_app(signed_in)
    signed_in.post(f"{CODES}generate/")
    with system_scope():
        texts = [mail.message_text(row) for row in OutgoingMail.objects.all()]
    assert all("From: 127.0.0.1" in text for text in texts)


def test_admin__staff_with_a_factor__needs_it_and_sees_states_without_secrets(settings: Any) -> None:
    staff = make_user(email="staff@example.com", password=PASSWORD, staff=True)
    browser = Client()
    sign_in(browser, staff.email)
    confirm_password(browser)
    secret, _ = set_up_app(browser)
    fresh = Client()
    sign_in(fresh, staff.email)
    assert fresh.get("/admin/")["Location"].startswith("/admin/login/")
    assert fresh.get("/admin/login/")["Location"].startswith("/accounts/login/")
    fresh.post(CONFIRM, {"code": code_of(secret)})
    assert fresh.get("/admin/").status_code == 200
    page = fresh.get("/admin/mfa/authenticator/")
    assert "staff@example.com" in page.text
    row = Authenticator.objects.get(type="totp")
    detail = fresh.get(f"/admin/mfa/authenticator/{row.pk}/change/")
    assert detail.status_code == 200
    assert row.data["secret"][:12] not in detail.text


def test_admin__person_who_has_lost_everything__signs_in_by_password_again(
    signed_in: Client, ada: User
) -> None:
    set_up_app(signed_in)
    staff = Client()
    staff.force_login(make_user(staff=True))
    staff.post("/admin/tenants/user/", {"action": "remove_second_factors", "_selected_action": [str(ada.pk)]})
    assert not Authenticator.objects.exists()
    assert sign_in(Client(), ADA)["Location"] == "/"
    assert "second_factor.all_removed" in _actions()
    assert "Your second factors were removed" in _subjects()
