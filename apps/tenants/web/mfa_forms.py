"""allauth's forms of second factors, made safe against copied rows, replayed codes and hostile passkeys."""

import binascii
import struct
from collections.abc import Callable
from typing import Any, Final

from allauth.core import context
from allauth.mfa import app_settings
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms as code_forms
from allauth.mfa.models import Authenticator
from allauth.mfa.totp import forms as totp_forms
from allauth.mfa.totp.internal import auth as totp_auth
from allauth.mfa.webauthn import forms as passkey_forms
from django import forms
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import transaction

from apps.core import crypto, errors
from apps.core.json_bodies import parse_json
from apps.tenants import second_factors
from apps.tenants.models import User
from apps.tenants.web import lockout

NAME_LENGTH: Final = 60
LONGEST_CREDENTIAL: Final = 64 * 1024
# How a parser of signed bytes fails on bytes that somebody made up.
_MALFORMED: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
    binascii.Error,
    struct.error,
)


class ActivateTOTPForm(totp_forms.ActivateTOTPForm):  # type: ignore[misc]
    """Turn an authenticator app on by its first code. Until then the secret lies sealed in the session."""

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        self.user = user
        forms.Form.__init__(self, *args, **kwargs)
        self.secret = _pending_secret(user, renew=not self.is_bound)

    def clean_code(self) -> str:
        """Raises ValidationError for a wrong code, or too many of them."""
        code: str = _limited(self.user, super().clean_code)
        _spend(self.user, code)
        return code


class _CodeChecks:
    user: User
    authenticator: Authenticator

    def clean_code(self) -> str:
        checked: Callable[[], str] = super().clean_code  # type: ignore[misc]
        with transaction.atomic():
            # One try at a time: two at once would both find the same recovery code unused.
            _refuse_foreign_secrets(self.user)
            code: str = _limited(self.user, checked)
        if self.authenticator.type == Authenticator.Type.TOTP:
            _spend(self.user, code)
        return code


class CodeForm(_CodeChecks, code_forms.AuthenticateForm):  # type: ignore[misc]
    """The code that ends signing in: of the app, or a recovery code."""


class CodeAgainForm(_CodeChecks, code_forms.ReauthenticateForm):  # type: ignore[misc]
    """A code to confirm that it is still the same person."""


class CredentialField(forms.CharField):
    """A passkey's answer as the browser sends it: JSON, bounded, and never shown again."""

    widget = forms.HiddenInput

    def to_python(self, value: Any) -> Any:
        """Raises ValidationError for what is no JSON that could be an answer."""
        text = super().to_python(value)
        if text is None or text in self.empty_values:
            return text
        try:
            return parse_json(text.encode(), limit=LONGEST_CREDENTIAL)
        except (errors.InvalidRequest, UnicodeEncodeError):
            raise get_adapter().validation_error("passkey_refused") from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        return ""


class _PasskeyChecks:
    user: User | None

    def clean_credential(self) -> Authenticator:
        checked: Callable[[], Authenticator] = super().clean_credential  # type: ignore[misc]
        if self.user is None:
            return _parsed(checked)
        return _limited(self.user, lambda: _parsed(checked))


class PasskeyForm(_PasskeyChecks, passkey_forms.AuthenticateWebAuthnForm):  # type: ignore[misc]
    """A passkey that ends signing in."""

    credential = CredentialField()


class PasskeyAgainForm(_PasskeyChecks, passkey_forms.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    """A passkey to confirm that it is still the same person."""

    credential = CredentialField()


class PasskeySignInForm(_PasskeyChecks, passkey_forms.LoginWebAuthnForm):  # type: ignore[misc]
    """A passkey in place of address and password."""

    credential = CredentialField()


class AddPasskeyForm(passkey_forms.AddWebAuthnForm):  # type: ignore[misc]
    """Register a passkey under a name."""

    credential = CredentialField()
    name = forms.CharField(
        label="Name",
        required=False,
        max_length=NAME_LENGTH,
        help_text="Where it is kept, such as “work laptop”.",
    )
    passwordless = forms.BooleanField(
        label="Sign in with it alone",
        required=False,
        initial=True,
        help_text="No address and password then. The device asks for your finger, face or PIN.",
    )

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError for a credential that this page didn't ask for."""
        checked: Callable[[], dict[str, Any]] = super().clean
        cleaned: dict[str, Any] = _parsed(checked)
        return cleaned


class RenamePasskeyForm(passkey_forms.EditWebAuthnForm):  # type: ignore[misc]
    """Another name for a passkey."""

    name = forms.CharField(label="Name", max_length=NAME_LENGTH)


def _pending_secret(user: User, *, renew: bool) -> str:
    session = context.request.session
    stored = None if renew else session.get(totp_auth.SECRET_SESSION_KEY)
    if stored and second_factors.is_sealed_for(stored, user.id):
        return second_factors.unseal_secret(stored)
    secret: str = totp_auth.generate_totp_secret()
    session[totp_auth.SECRET_SESSION_KEY] = second_factors.seal_secret(secret, user_id=user.id)
    return secret


def _refuse_foreign_secrets(user: User) -> None:
    """A row copied from another account would open this one to the other's codes. Locks the rows."""
    sealed = Authenticator.objects.filter(user=user, type__in=second_factors.SEALED_FIELDS)
    for row in sealed.select_for_update().order_by("pk"):
        stored = str(row.data.get(second_factors.SEALED_FIELDS[row.type], ""))
        if not second_factors.is_sealed_for(stored, user.id):
            raise get_adapter().validation_error("secret_unreadable")


def _spend(user: User, code: str) -> None:
    """allauth remembers a used code for one period; with a tolerance it is good for longer than that."""
    digits = "".join(filter(str.isdigit, code))
    periods = 2 * app_settings.TOTP_TOLERANCE + 1
    if not cache.add(f"mfa:spent:{user.pk}:{digits}", 1, timeout=app_settings.TOTP_PERIOD * periods):
        raise get_adapter().validation_error("incorrect_code")


def _limited(user: User, check: Callable[[], Any]) -> Any:
    try:
        return check()
    except crypto.SealBroken:
        raise get_adapter().validation_error("secret_unreadable") from None
    except ValidationError as problem:
        if getattr(problem, "code", "") in lockout.CODES:
            raise lockout.locked(context.request, f"mfa-auth-user-{user.pk}") from None
        raise


def _parsed(check: Callable[[], Any]) -> Any:
    try:
        return check()
    except ValidationError as problem:
        if getattr(problem, "code", "") == "incorrect_code":
            raise get_adapter().validation_error("passkey_refused") from None
        raise
    except _MALFORMED:
        raise get_adapter().validation_error("passkey_refused") from None
