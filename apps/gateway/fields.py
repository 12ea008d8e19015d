"""Fields that the bodies of several addresses share. Pure; every refusal names the field."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

from apps.core.errors import InvalidRequest
from apps.prompts.tools import clean_tools

LONGEST_RUN_SECONDS: Final = 120.0
METADATA_PAIRS: Final = 50
METADATA_KEY_LENGTH: Final = 64
METADATA_VALUE_LENGTH: Final = 512
USER_LENGTH: Final = 255
LARGEST_NUMBER: Final = 2**31 - 1
SpecialFields = Mapping[str, tuple[tuple[Any, ...], str]]
"""By name: the values that ask for nothing special, and why any other is refused."""
_WORDS: Final[dict[type[Any], str]] = {
    bool: "true or false",
    dict: "an object",
    list: "a list",
    str: "text",
    int: "a whole number",
}


def object_body(body: Any, allowed: frozenset[str]) -> dict[str, Any]:
    """The body as an object that holds none but the allowed fields."""
    if not isinstance(body, dict):
        raise InvalidRequest("The body is a JSON object.", code="invalid_json")
    if body.keys() <= allowed:
        return body
    for name in body:
        if name not in allowed:
            raise InvalidRequest(f"'{name}' is not supported.", code="unsupported_parameter", param=name)
    return body


def typed(body: dict[str, Any], name: str, kind: type[Any], default: Any, *, path: str = "") -> Any:
    """A field of one type; the default where it is absent or null."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InvalidRequest(f"{path}{name} must be {_WORDS[kind]}.", param=path + name)
    return value


def metadata(body: dict[str, Any]) -> dict[str, str]:
    """`metadata`: text to text, bounded."""
    found: dict[str, str] = typed(body, "metadata", dict, {})
    if not found:
        return found
    if len(found) > METADATA_PAIRS:
        raise InvalidRequest(f"metadata holds at most {METADATA_PAIRS} pairs.", param="metadata")
    for key, value in found.items():
        if not isinstance(value, str):
            raise InvalidRequest("A metadata value is text.", param=f"metadata.{key}")
        if len(key) > METADATA_KEY_LENGTH or len(value) > METADATA_VALUE_LENGTH:
            raise InvalidRequest(
                f"A metadata key has at most {METADATA_KEY_LENGTH} characters, "
                f"a value {METADATA_VALUE_LENGTH}.",
                param=f"metadata.{key[:METADATA_KEY_LENGTH]}",
            )
    return found


def user(body: dict[str, Any]) -> str:
    """`user`, or its newer name `safety_identifier`: the caller's own name of its user."""
    return _name(body, "user") or _name(body, "safety_identifier")


def unit(body: dict[str, Any]) -> str:
    """`unit`: the caller's own name of what the run is for, such as a case or an account."""
    return _name(body, "unit")


def refuse_special(body: dict[str, Any], only: SpecialFields) -> None:
    """Raise InvalidRequest for fields that are taken only with a value that asks for nothing special."""
    if only.keys().isdisjoint(body):
        return
    for name in body.keys() & only.keys():
        harmless, reason = only[name]
        value = body[name]
        if value is not None and not any(type(value) is type(each) and value == each for each in harmless):
            raise InvalidRequest(reason, code="unsupported_parameter", param=name)


def _name(body: dict[str, Any], field: str) -> str:
    if body.get(field) is None:
        return ""
    found: str = typed(body, field, str, "")
    if len(found) > USER_LENGTH:
        raise InvalidRequest(f"{field} has at most {USER_LENGTH} characters.", param=field)
    return found


def tools(body: dict[str, Any]) -> tuple[dict[str, Any], ...] | None:
    """`tools` in OpenAI's form; None where the caller leaves them to the version."""
    found = typed(body, "tools", list, None)
    return None if found is None else clean_tools(found)


def number(body: dict[str, Any], name: str) -> int | None:
    """A version's number, None where none is given."""
    found: int | None = typed(body, name, int, None)
    if found is not None and not 1 <= found <= LARGEST_NUMBER:
        raise InvalidRequest(f"{name} is a version's number, from 1.", param=name)
    return found


def fingerprint(body: Any) -> bytes:
    """What must be the same for a request to be a repeat: every field, in any order."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()
