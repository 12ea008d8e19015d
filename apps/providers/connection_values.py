"""What a connection's fields may hold. Pure but for the operator's allow-list."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from apps.core import outbound
from apps.core.errors import InvalidRequest
from apps.providers.patterns import MOST_STARS
from apps.providers.types import API, SANDBOX

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
RESERVED_NAMES: Final = frozenset([SANDBOX, "prompt", "prompts", "new"])
BASE_URLS: Final[dict[API, str]] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
}
MOST_MODELS: Final = 300
MOST_LISTED: Final = 1000
LONGEST_MODEL: Final = 200
LONGEST_SECRET: Final = 4_000
MOST_HEADERS: Final = 20
MOST_CONCURRENT_CALLS: Final = 10_000
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,100}")
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+(?: [\x21-\x7e]+)*")
# The connection's own business, or the key's.
_REFUSED_HEADERS: Final = frozenset(
    {
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def check_name(name: str) -> str:
    """The name as given. Raises InvalidRequest."""
    if not NAME.fullmatch(name):
        message = "A name has 1 to 40 lower-case letters, digits and hyphens, as in openai-eu."
        raise InvalidRequest(message, code="name_invalid", param="name")
    if name in RESERVED_NAMES:
        raise InvalidRequest(
            f"The name '{name}' is taken by the product.", code="name_reserved", param="name"
        )
    return name


def check_base_url(url: str, api: API = "openai") -> str:
    """The address without a slash at its end; the vendor's own where it is empty.

    Raises InvalidRequest with what is wrong.
    """
    url = url.strip().rstrip("/") or BASE_URLS[api]
    try:
        outbound.check_url(url)
    except outbound.OutboundRefused as refused:
        raise InvalidRequest(refused.message, code=refused.code, param="base_url") from None
    if "?" in url or "#" in url or len(url) > 500:
        message = "The base URL ends at the path, with no question mark or #."
        raise InvalidRequest(message, code="base_url_invalid", param="base_url")
    return url


def check_key(key: str) -> str:
    """The key without surrounding space; empty is allowed, for servers that ask for none."""
    key = key.strip()
    if key and (len(key) > LONGEST_SECRET or not _VISIBLE.fullmatch(key)):
        message = "A key consists of visible ASCII characters."
        raise InvalidRequest(message, code="key_invalid", param="api_key")
    return key


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The extra headers as given. Raises InvalidRequest for one that may not be set."""
    if len(headers) > MOST_HEADERS:
        raise _header_problem(f"At most {MOST_HEADERS} headers can be set.")
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _REFUSED_HEADERS:
            raise _header_problem(f"The header '{name[:100]}' can't be set.")
        if len(value) > LONGEST_SECRET or not _VISIBLE.fullmatch(value):
            raise _header_problem(f"The value of '{name}' must be one line of visible ASCII characters.")
    return dict(headers)


def check_models(models: Iterable[str]) -> list[str]:
    """The model ids, each once and in the order given. Raises InvalidRequest."""
    found = list(dict.fromkeys(model.strip() for model in models if model.strip()))
    if len(found) > MOST_MODELS:
        raise InvalidRequest(f"At most {MOST_MODELS} models can be listed.", param="models")
    for model in found:
        if not is_model_id(model) or model.count("*") > MOST_STARS:
            message = f"'{model[:60]}' is not a model id."
            raise InvalidRequest(message, code="model_invalid", param="models")
    return found


def check_concurrent_calls(most: int | None) -> int | None:
    """How many calls may run at a time; None does not limit. Raises InvalidRequest."""
    if most is not None and not 1 <= most <= MOST_CONCURRENT_CALLS:
        message = f"Calls at a time is a number from 1 to {MOST_CONCURRENT_CALLS:,}, or empty for no limit."
        raise InvalidRequest(message, code="concurrent_calls_invalid", param="concurrent_calls")
    return most


def is_model_id(text: str) -> bool:
    """Whether a text can be a model's id, or a pattern of ids."""
    return len(text) <= LONGEST_MODEL and bool(_VISIBLE.fullmatch(text))


def _header_problem(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="header_invalid", param="headers")
