"""The master keys, read from the environment: they wrap the data keys and never touch data."""

import base64
import binascii
from functools import lru_cache
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

KEY_BYTES: Final = 32


@lru_cache(maxsize=8)
def _parse_master_keys(words: tuple[str, ...]) -> dict[int, bytes]:
    keys = {}
    for word in words:
        version, separator, text = word.rpartition(":")
        try:
            key = base64.b64decode(text, validate=True)
            keys[int(version) if separator else 1] = key
        except (binascii.Error, ValueError):
            raise ImproperlyConfigured("MASTER_KEYS must read 1:<base64>,2:<base64>…") from None
        if len(key) != KEY_BYTES:
            raise ImproperlyConfigured("A master key must be the base64 of 32 bytes.")
    if len(keys) != len(words) or not keys:
        raise ImproperlyConfigured("Every master key needs a version of its own.")
    return keys


def master_keys() -> dict[int, bytes]:
    """Master keys by version; the highest wraps new data keys. Raises ImproperlyConfigured."""
    return _parse_master_keys(tuple(settings.MASTER_KEYS))
