"""Chromium, the real servers, and what every page must hold."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as project_settings
from django.contrib.sessions.backends.db import SessionStore
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)
from pytest_django.fixtures import Settings

from apps.tenants.models import User
from tests.browser.servers import Site, web_alone

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Busy cores, not the product, decide how long a page of a test takes.
PATIENCE_MS = 20_000
# The browser logs every answer of 400 and more, which tests ask for on purpose; htmx logs what is broken off
# when a page is left while a panel of it loads.
EXPECTED_NOISE = (
    "Failed to load resource: the server responded with a status of 4",
    "htmx:afterRequest",
    "htmx:sendAbort",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here, skip it where there is no Chromium, and run it after all else.

    Playwright's event loop stays in the test's thread, where code that runs a loop of its own would fail.
    """
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker("browser")
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium on this machine"))
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    """Browser tests come last, the longest of them first."""
    if "tests/browser/" not in item.nodeid:
        return 0
    long = ("tests/browser/whole/", "test_every_page")
    return next((place for place, part in enumerate(long, 1) if part in item.nodeid), len(long) + 1)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for the session."""
    # Playwright runs an event loop in this thread, so Django would refuse every query in it.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        expect.set_options(timeout=PATIENCE_MS)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def web_site(django_db_setup: None) -> Iterator[Site]:
    """The dashboard without gateway and workers."""
    with web_alone() as site:
        yield site


@pytest.fixture
def context(chromium: Browser, transactional_db: None) -> Iterator[BrowserContext]:
    """A fresh profile; the rows of a test are committed and gone after it."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that fails the test when the browser reports an error or a broken content policy."""
    problems: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(EXPECTED_NOISE):
            problems.append(message.text)

    page = context.new_page()
    page.on("console", note)
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    assert not problems, problems


def session_cookie(user: User, site: Site) -> Any:
    """The cookie of a new session of a user, made without the form."""
    session = SessionStore()
    session["_auth_user_id"] = str(user.pk)
    session["_auth_user_backend"] = project_settings.AUTHENTICATION_BACKENDS[0]
    session["_auth_user_hash"] = user.get_session_auth_hash()
    session.save()
    return {"name": project_settings.SESSION_COOKIE_NAME, "value": str(session.session_key), "url": site.url}


@pytest.fixture
def sign_in(context: BrowserContext) -> Callable[[User, Site], None]:
    """Give the browser a session of a user, without the form."""

    def sign_in(user: User, site: Site) -> None:
        context.add_cookies([session_cookie(user, site)])

    return sign_in


@pytest.fixture
def real_passwords(settings: Settings) -> None:
    """Passwords that the servers, which don't know the tests' quick hasher, can check."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
