"""The secret in an invitation's link. Pure text and bytes; only the SHA-256 is stored."""

import hashlib
import secrets
from typing import Final

_BYTES: Final = 32
LENGTH: Final = 43


def new_token() -> str:
    """256 random bits, in characters that an address takes as they are."""
    return secrets.token_urlsafe(_BYTES)


def digest(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).digest()
