"""Secret key and master key of an installation without its own: made once, kept beside the data."""

import base64
import os
import secrets
from collections.abc import Callable

from promptsaas.embedded.places import Places

MAKERS: dict[str, Callable[[], str]] = {
    "secret_key": lambda: secrets.token_urlsafe(48),
    "demo_password": lambda: secrets.token_urlsafe(9),
    "master_key": lambda: base64.b64encode(secrets.token_bytes(32)).decode(),
}


def secret(places: Places, name: str) -> str:
    """The value of a secret; made at first use, mode 0600. The master key is base64 of 32 bytes."""
    path = places.secrets / name
    if not path.exists():
        places.make()
        # A link never overwrites: of two processes that make one at once, both read the first.
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(MAKERS[name]())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text().strip()
