"""Passkey answers that somebody made up: refused in words, never a failure."""

import json
from typing import Any

import pytest
from django.test import Client

from tests.factories import PASSWORD, make_user
from tests.tenants.mfa_support import confirm_password, sign_in

pytestmark = pytest.mark.django_db
SIGN_IN = "/accounts/2fa/webauthn/login/"
ADD = "/accounts/2fa/webauthn/add/"
_BYTES = "AAAA"
# {"type":"webauthn.create","challenge":"AAAA","origin":"x"}
_CLIENT_DATA = "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIiwiY2hhbGxlbmdlIjoiQUFBQSIsIm9yaWdpbiI6IngifQ"
ANSWERS: list[Any] = [
    None,
    [],
    "text",
    7,
    {},
    {"id": 1, "rawId": [], "response": {}},
    {"id": _BYTES, "rawId": _BYTES, "type": "public-key", "response": None},
    {"id": _BYTES, "rawId": _BYTES, "type": "public-key", "response": {"clientDataJSON": _BYTES}},
    {
        "id": _BYTES,
        "rawId": _BYTES,
        "type": "public-key",
        "response": {
            "clientDataJSON": "e30",
            "authenticatorData": _BYTES,
            "signature": _BYTES,
            "userHandle": "////",
            "attestationObject": "oA",
        },
    },
    {
        "id": _BYTES,
        "rawId": _BYTES,
        "type": "public-key",
        "response": {
            "clientDataJSON": _CLIENT_DATA,
            "attestationObject": "o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YUA",
        },
    },
]


@pytest.fixture(autouse=True)
def _cheap_hashing(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MFA_RATE_LIMITS = {"webauthn_login": "1000/m/ip"}


@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
def test_sign_in__made_up_answer__leads_back_to_sign_in(client: Client, answer: Any) -> None:
    client.get(SIGN_IN)
    response = client.post(SIGN_IN, {"credential": json.dumps(answer)})
    assert (response.status_code, response["Location"]) == (302, "/accounts/login/")


@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
def test_add__made_up_answer__is_refused_on_the_page(client: Client, answer: Any) -> None:
    user = make_user(email="ada@example.com", password=PASSWORD)
    sign_in(client, user.email)
    confirm_password(client)
    client.get(ADD)
    response = client.post(ADD, {"credential": json.dumps(answer), "name": "x", "passwordless": "on"})
    assert response.status_code == 200
    assert 'role="alert"' in response.text


@pytest.mark.parametrize(
    "raw", ["[" * 50_000, '{"a":' * 900 + "1" + "}" * 900, '{"\\u0000":"\\ud800"}', "{", "NaN"]
)
def test_answer__json_made_to_break_readers__is_refused(client: Client, raw: str) -> None:
    client.get(SIGN_IN)
    response = client.post(SIGN_IN, {"credential": raw})
    assert (response.status_code, response["Location"]) == (302, "/accounts/login/")
    user = make_user(email="ada@example.com", password=PASSWORD)
    sign_in(client, user.email)
    confirm_password(client)
    client.get(ADD)
    response = client.post(ADD, {"credential": raw, "name": "x", "passwordless": "on"})
    assert response.status_code == 200
    assert 'role="alert"' in response.text


def test_sign_in__too_many_answers__is_limited_by_address(client: Client, settings: Any) -> None:
    settings.MFA_RATE_LIMITS = {"webauthn_login": "2/m/ip"}
    statuses = [client.post(SIGN_IN, {"credential": "{}"}).status_code for _ in range(3)]
    assert statuses == [302, 302, 429]
