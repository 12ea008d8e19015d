"""A token in the system prompt that no answer may hold, and how it is recognised in disguise. Pure."""

import base64
import codecs
import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

LENGTH: Final = 20
_NOTE: Final = "\n\nReference of this text, never part of an answer: {token}"
_KEPT: Final = re.compile(r"[^a-z0-9]+")


def make_canary(secret: bytes, purpose: str) -> str:
    """The token of a prompt: always the same, so that equal runs stay equal; guessed only with the secret."""
    digest = hashlib.blake2b(purpose.encode(), key=secret[:64], digest_size=16).digest()
    return base64.b32encode(digest).decode().lower()[:LENGTH]


def with_canary(system: str, token: str) -> str:
    """The system prompt with its token."""
    return system + _NOTE.format(token=token)


def find_canary(text: str, token: str) -> Iterator[tuple[int, int, str]]:
    """Where and how the text holds the token: `plain`, or `disguised` (then the whole text)."""
    start = text.lower().find(token)
    if start >= 0:
        yield start, start + len(token), "plain"
        return
    squeezed = _KEPT.sub("", text.lower())
    if any(form in squeezed for form in _forms(token)) or all(half in squeezed for half in _halves(token)):
        yield 0, len(text), "disguised"


def _halves(token: str) -> tuple[str, str]:
    return token[: LENGTH // 2], token[LENGTH // 2 :]


@lru_cache(maxsize=1_000)
def _forms(token: str) -> tuple[str, ...]:
    """The token with other signs between its letters, backwards, in ROT13, hexadecimal and Base64."""
    forms = {token, token[::-1], codecs.encode(token, "rot13"), token.encode().hex()}
    for case in (token, token.upper()):
        forms.add(case.encode().hex())
        for shift in range(3):
            # Base64 of the token depends on what stands before it, except for its middle.
            encoded = base64.b64encode(b"\x00" * shift + case.encode()).decode()
            forms.add(_KEPT.sub("", encoded[4 if shift else 0 : -4].lower()))
    return tuple(forms)
