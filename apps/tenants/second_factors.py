"""Secrets of authenticator apps and recovery codes, sealed under the platform's key and bound to their user.

allauth stores one text and hands no row id over, so the text names the user that it was sealed for. Rotating
the master key rewraps the platform's key and touches none of these texts.
"""

import base64
import binascii
from typing import Final
from uuid import UUID

from apps.core import crypto

TABLE: Final = "mfa_authenticator"
FORMAT: Final = "v1"
# Which field of an authenticator's data is sealed, by its type.
SEALED_FIELDS: Final = {"totp": "secret", "recovery_codes": "seed"}


def seal_secret(secret: str, *, user_id: UUID) -> str:
    """The text to store for a secret of a user."""
    sealed = crypto.seal(secret.encode(), organization_id=None, table=TABLE, column="data", row_id=user_id)
    return f"{FORMAT}:{user_id.hex}:{base64.b64encode(sealed).decode()}"


def unseal_secret(stored: str) -> str:
    """The secret behind a stored text. Raises SealBroken for one that was altered or can't be read."""
    try:
        version, owner, body = stored.split(":")
        if version != FORMAT:
            raise crypto.SealBroken("unknown format")
        sealed, user_id = base64.b64decode(body, validate=True), UUID(hex=owner)
    except (ValueError, binascii.Error):
        raise crypto.SealBroken("not a sealed secret") from None
    plain = crypto.unseal(sealed, organization_id=None, table=TABLE, column="data", row_id=user_id)
    return plain.decode()


def is_sealed_for(stored: str, user_id: UUID) -> bool:
    """Whether a stored text was sealed for that user; one copied from another's row wasn't."""
    return stored.startswith(f"{FORMAT}:{user_id.hex}:")
