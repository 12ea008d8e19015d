"""The one version of the API, in a header of every answer; both planes refuse to be asked for another."""

from typing import Final

from apps.core.errors import InvalidRequest

API_VERSION: Final = "2026-11-20"
VERSION_HEADER: Final = "Promptsaas-Version"


def check_version(asked: str) -> None:
    """Raise InvalidRequest for a version that is not ours; a caller need not name one."""
    if asked not in ("", API_VERSION):
        message = f"The only version of this API is {API_VERSION}."
        raise InvalidRequest(message, code="unknown_version", param=VERSION_HEADER)
