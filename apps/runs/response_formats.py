"""`response_format` of a call: checked, and the schema that its answer has to fit. Pure."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from apps.core.errors import InvalidRequest
from apps.prompts.schemas import check_schema

JSON_SCHEMA: Final = "json_schema"
TYPES: Final = ("text", "json_object", JSON_SCHEMA)
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_FIELDS: Final = frozenset({"name", "schema", "strict", "description"})


def expected_schema(overrides: Mapping[str, Any], schema: dict[str, Any] | None) -> dict[str, Any] | None:
    """The schema of the answer: the call's own `response_format` takes the place of the version's schema.

    Raises InvalidRequest naming the field.
    """
    wanted = overrides.get("response_format")
    return schema if wanted is None else response_schema(wanted)


def response_schema(wanted: Any, *, param: str = "response_format") -> dict[str, Any] | None:
    """The schema in a `response_format`, None where it has none. Raises InvalidRequest naming the field."""
    kind = wanted.get("type") if isinstance(wanted, Mapping) else None
    if kind not in TYPES:
        raise InvalidRequest(
            f"{param}.type is one of {', '.join(TYPES)}.", code="parameter_invalid", param=f"{param}.type"
        )
    if kind != JSON_SCHEMA:
        return None
    described = wanted.get(JSON_SCHEMA)
    if not isinstance(described, Mapping):
        raise _invalid("json_schema is an object with name and schema.", f"{param}.json_schema")
    check_described(described, f"{param}.json_schema")
    found: dict[str, Any] = described["schema"]
    return found


def check_described(described: Mapping[str, Any], param: str) -> None:
    """Raise InvalidRequest for a named schema that is not in OpenAI's form; the param begins with `param`."""
    for name in described.keys() - _FIELDS:
        raise InvalidRequest(
            f"'{name[:64]}' is not supported.", code="unsupported_parameter", param=f"{param}.{name[:64]}"
        )
    if not isinstance(described.get("name"), str) or not _NAME.match(described["name"]):
        raise _invalid("The schema's name has 1 to 64 letters, digits, _ and -.", f"{param}.name")
    if not isinstance(described.get("strict"), bool | None):
        raise _invalid("strict must be true or false.", f"{param}.strict")
    if not isinstance(described.get("description"), str | None):
        raise _invalid("description must be text.", f"{param}.description")
    try:
        _check(orjson.dumps(described.get("schema")), f"{param}.schema")
    except TypeError:
        raise _invalid("The schema is not plain JSON.", f"{param}.schema") from None


@lru_cache(maxsize=256)
def _check(schema: bytes, param: str) -> None:
    """The same schemas come again and again; what is refused is not remembered."""
    check_schema(orjson.loads(schema), name="The schema", param=param)


def _invalid(message: str, param: str) -> InvalidRequest:
    return InvalidRequest(message, code="parameter_invalid", param=param)
