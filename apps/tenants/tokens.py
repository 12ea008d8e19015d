"""API key tokens: ``psk_live_<id>_<secret><checksum>``. Pure text and bytes; no database.

The checksum (CRC32 in base62, six characters) lets secret scanners tell a key from noise without a
look-up. The secret has 256 random bits, so a plain SHA-256 of the token is enough at rest.
"""

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass
from typing import Final

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH: Final = 12
_SECRET_LENGTH: Final = 43
_CHECKSUM_LENGTH: Final = 6
TOKEN_PATTERN: Final = (
    rf"psk_(live|test)_([0-9A-Za-z]{{{_ID_LENGTH}}})_([0-9A-Za-z]{{{_SECRET_LENGTH + _CHECKSUM_LENGTH}}})"
)
_TOKEN: Final = re.compile(TOKEN_PATTERN, re.ASCII)


class MalformedToken(ValueError):
    """The text can't be an API key; the message says why, for the caller."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A fresh key. ``text`` is the only place where the secret ever stands."""

    text: str
    key_id: str
    digest: bytes
    last_four: str


def new_token(*, livemode: bool) -> NewToken:
    """Make a key from the system's random source."""
    key_id = "".join(secrets.choice(_BASE62) for _ in range(_ID_LENGTH))
    secret = _base62(secrets.randbits(256), _SECRET_LENGTH)
    body = f"psk_{'live' if livemode else 'test'}_{key_id}_{secret}"
    text = body + checksum(body)
    return NewToken(text=text, key_id=key_id, digest=digest(text), last_four=text[-4:])


def key_id_of(token: str) -> str:
    """The indexed id inside a token. Raises MalformedToken before any look-up is made."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise MalformedToken("This isn't an API key. Keys start with psk_live_ or psk_test_.")
    if not hmac.compare_digest(checksum(token[:-_CHECKSUM_LENGTH]), token[-_CHECKSUM_LENGTH:]):
        raise MalformedToken("This API key is mistyped or cut off: its checksum doesn't fit.")
    return match[2]


def digest(token: str) -> bytes:
    """What is stored of a token: its SHA-256."""
    return hashlib.sha256(token.encode()).digest()


def matches(token: str, stored: bytes) -> bool:
    """Compare a token with a stored digest in constant time."""
    return hmac.compare_digest(digest(token), stored)


def checksum(body: str) -> str:
    """Six base62 characters of the CRC32 of everything before them."""
    return _base62(zlib.crc32(body.encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    characters = []
    for _ in range(length):
        number, rest = divmod(number, 62)
        characters.append(_BASE62[rest])
    return "".join(reversed(characters))
