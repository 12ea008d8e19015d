"""allauth's hooks for second factors: sealed secrets, our words."""

import io
from typing import Any, ClassVar

import qrcode
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from qrcode.image.svg import SvgPathFillImage

from apps.tenants import second_factors
from apps.tenants.models import User


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Seals what allauth stores of a second factor."""

    error_messages: ClassVar[dict[str, Any]] = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "This code is not right. Enter the newest one of your app; each works once.",
        "passkey_refused": "The passkey was not accepted. Try again, or choose another way.",
        "secret_unreadable": "The secret stored for you can't be read. Ask whoever operates this site.",
        "unverified_email": "Confirm all your e-mail addresses first, or remove those that aren't yours.",
        "cannot_generate_recovery_codes": "Set up an authenticator app or a passkey first.",
    }

    def encrypt(self, text: str) -> str:
        """The sealed form of a secret of whoever is signed in."""
        user = context.request.user
        if not isinstance(user, User):
            raise TypeError("a second factor belongs to a signed-in user")
        return second_factors.seal_secret(text, user_id=user.id)

    def decrypt(self, encrypted_text: str) -> str:
        """The secret itself. Raises SealBroken."""
        return second_factors.unseal_secret(encrypted_text)

    def build_totp_svg(self, url: str) -> str:
        """The QR code on white ground, which cameras need in a dark theme too."""
        picture = io.BytesIO()
        qrcode.make(url, image_factory=SvgPathFillImage).save(picture)
        return picture.getvalue().decode()

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:  # noqa: A002
        """The name that a new passkey has until its owner gives it another."""
        number = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return f"Passkey {number + 1}"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """The site that passkeys belong to: the host of the address that the browser shows."""
        return {"id": context.request.get_host().partition(":")[0], "name": "promptsaas"}
