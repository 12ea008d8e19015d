"""The list of one's sessions, ending them, and what a new password does to them."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.core.models import OutgoingMail
from apps.core.scope import system_scope
from apps.tenants import account_queries, devices
from apps.tenants.models import User, UserSession
from apps.tenants.services import accounts
from tests.factories import PASSWORD, make_user
from tests.tenants.mfa_support import confirm_password, sign_in

pytestmark = pytest.mark.django_db
ADA = "ada@example.com"
SECURITY = "/profile/security/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)


@pytest.fixture(autouse=True)
def _outbox(settings: Any) -> None:
    settings.EMAIL_BACKEND = "apps.core.mail.OutboxBackend"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ada() -> User:
    return make_user(email=ADA, password=PASSWORD)


def _browser(user_agent: str, address: str = "203.0.113.7") -> Client:
    browser = Client(headers={"user-agent": user_agent}, REMOTE_ADDR=address)
    sign_in(browser, ADA)
    return browser


def _actions() -> list[str]:
    with system_scope():
        return list(AuditEvent.all_organizations.order_by("id").values_list("action", flat=True))


def test_list__two_browsers__names_device_address_and_this_one(ada: User) -> None:
    _browser(FIREFOX)
    here = _browser(IPHONE, "203.0.113.9")
    page = here.get(SECURITY).text
    assert page.count('data-testid="session"') == 2
    for words in ("Firefox", "Linux", "203.0.113.7", "Safari", "iPhone", "203.0.113.9", "This one"):
        assert words in page


def test_list__many_sessions__costs_as_many_statements_as_one(
    ada: User, django_assert_num_queries: Any
) -> None:
    here = _browser(FIREFOX)
    for _ in range(3):
        _browser(IPHONE)
    with django_assert_num_queries(1):
        assert len(account_queries.sessions_of(ada, here.session.session_key)) == 4


def test_list__session_of_before_the_list_was_kept__appears_with_its_next_page(
    ada: User, client: Client
) -> None:
    client.force_login(ada)
    assert not UserSession.objects.exists()
    client.get("/new/")
    assert UserSession.objects.get().user_id == ada.id


def test_seen__again_within_five_minutes__writes_nothing(ada: User) -> None:
    here = _browser(FIREFOX)
    seen = UserSession.objects.get()

    def mark() -> None:
        accounts.mark_session_seen(
            user_id=ada.id, session_key=str(here.session.session_key), ip="203.0.113.8", user_agent=IPHONE
        )

    mark()
    again = UserSession.objects.get()
    assert (again.ip, again.last_seen_at) == (seen.ip, seen.last_seen_at)
    with time_machine.travel(timezone.now() + timedelta(minutes=6), tick=False):
        mark()
    later = UserSession.objects.get()
    assert (later.ip, later.created_at) == ("203.0.113.8", seen.created_at)
    assert later.last_seen_at > seen.last_seen_at


def test_seen__session_that_has_ended__leaves_no_row(ada: User) -> None:
    accounts.mark_session_seen(user_id=ada.id, session_key="gone", ip=None, user_agent="")
    assert not UserSession.objects.exists()


def test_pages__within_five_minutes__take_no_statement_for_it(
    ada: User, django_assert_max_num_queries: Any
) -> None:
    here = _browser(FIREFOX)
    here.get("/new/")
    with django_assert_max_num_queries(10) as captured:
        here.get("/new/")
    assert not [query for query in captured.captured_queries if "tenants_usersession" in query["sql"]]


def test_end__another_session__signs_its_browser_out_at_once(ada: User) -> None:
    there, here = _browser(FIREFOX), _browser(IPHONE)
    session = UserSession.objects.get(session_id=there.session.session_key)
    page = here.post(f"/profile/security/sessions/{session.public_id}/end/", follow=True)
    assert "The session has ended" in page.text
    assert there.get("/new/")["Location"].startswith("/accounts/login/")
    assert here.get("/new/").status_code == 200
    assert "session.ended" in _actions()
    with system_scope():
        assert OutgoingMail.objects.get().subject == "Sessions of your account ended"


def test_end__this_session__signs_out_here(ada: User) -> None:
    here = _browser(FIREFOX)
    session = UserSession.objects.get()
    assert here.post(f"/profile/security/sessions/{session.public_id}/end/")["Location"] == "/accounts/login/"
    assert here.get("/new/").status_code == 302


def test_end__session_of_somebody_else__is_not_found(ada: User) -> None:
    _browser(FIREFOX)
    session = UserSession.objects.get()
    eve = Client()
    eve.force_login(make_user())
    page = eve.post(f"/profile/security/sessions/{session.public_id}/end/", follow=True)
    assert "has ended already" in page.text
    assert UserSession.objects.filter(pk=session.pk).exists()


def test_end_others__leaves_only_this_one(ada: User) -> None:
    there, phone, here = _browser(FIREFOX), _browser(IPHONE), _browser(FIREFOX)
    page = here.post("/profile/security/sessions/end/", follow=True)
    assert "2 other sessions have ended" in page.text
    assert {there.get("/new/").status_code, phone.get("/new/").status_code} == {302}
    assert here.get("/new/").status_code == 200
    assert "session.others_ended" in _actions()


def test_sign_out__takes_the_session_off_the_list(ada: User) -> None:
    here = _browser(FIREFOX)
    here.post("/accounts/logout/")
    assert not UserSession.objects.exists()


def test_new_password__ends_other_sessions_and_keeps_this_one(ada: User) -> None:
    there, here = _browser(FIREFOX), _browser(IPHONE)
    confirm_password(here)
    new = "a wholly different one"
    form = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert here.post("/accounts/password/change/", form)["Location"] == SECURITY
    assert here.get(SECURITY).text.count('data-testid="session"') == 1
    assert there.get("/new/").status_code == 302
    assert Session.objects.count() == 1
    assert "user.password_changed" in _actions()


def test_list__session_whose_password_has_changed_elsewhere__is_not_on_it(ada: User) -> None:
    here = _browser(FIREFOX)
    ada.refresh_from_db()
    ada.set_password("a wholly different one")
    ada.save(update_fields=["password"])
    assert account_queries.sessions_of(ada, here.session.session_key) == []


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        (FIREFOX, ("Firefox", "Linux")),
        (IPHONE, ("Safari", "iPhone")),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
            ("Edge", "Windows"),
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/140.0.0.0 Safari/537.36",
            ("Chrome", "macOS"),
        ),
        ("curl/8.9.1", ("curl", "unknown device")),
        ("", ("unknown browser", "unknown device")),
    ],
)
def test_device__user_agent__is_named_as_its_owner_would(user_agent: str, expected: tuple[str, str]) -> None:
    assert (devices.browser_of(user_agent), devices.system_of(user_agent)) == expected
