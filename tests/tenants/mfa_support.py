"""Signing in, setting up second factors and real codes, by the pages themselves."""

import re
import time
from typing import Any

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client

from tests.factories import PASSWORD

ACTIVATE = "/accounts/2fa/totp/activate/"
CODES = "/accounts/2fa/recovery-codes/"
CONFIRM = "/accounts/2fa/authenticate/"


def sign_in(client: Client, email: str, password: str = PASSWORD) -> Any:
    """Send the form of the sign-in page."""
    return client.post("/accounts/login/", {"login": email, "password": password})


def confirm_password(client: Client) -> None:
    """Prove again who it is, as pages that change a factor ask for."""
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})


def code_of(secret: str, *, later: int = 0) -> str:
    """The code that an app shows now, or some periods of half a minute later."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + later)))


def set_up_app(client: Client, *, address: str = ACTIVATE) -> tuple[str, Any]:
    """Turn an app on by a real code; the secret and the answer to the form."""
    page = client.get(address)
    found = re.search(r'id="secret"[^>]*>([A-Z2-7 ]+)<', page.text)
    assert found is not None, page
    secret = found[1].replace(" ", "")
    # The code of half a minute ago, so that now's is still unused.
    return secret, client.post(address, {"code": code_of(secret, later=-1)})


def recovery_codes(page: Any) -> list[str]:
    """The codes on a page."""
    return re.findall(r"<li>(\d{8})\s*</li>", page.text)
