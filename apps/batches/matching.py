"""Does an output agree with the expected value? Pure."""

import math
from typing import Any

import orjson

from apps.core.json_bodies import dump_json


def matches(expected: str | None, text: str, parsed: Any, field: str) -> bool | None:
    """Whether the output agrees with the expected value; None where nothing is expected.

    `field` names the property of a JSON output that is compared; "" compares the whole output. Text is
    compared without regard to case and surrounding space, numbers and JSON by value.
    """
    if expected is None or not expected.strip():
        return None
    found = _value(text, parsed, field)
    if _plain(found) == expected.strip().casefold():
        return True
    if isinstance(found, str):
        return False
    return _same_value(found, expected)


def guess_field(schema: dict[str, Any] | None, expected_column: str) -> str:
    """The output's property that an expected column most likely means; "" when the output is plain text.

    First the property of the same name, then the first with a list of allowed values, then the first.
    """
    properties = (schema or {}).get("properties")
    if not isinstance(properties, dict) or not properties:
        return ""
    by_name: dict[str, str] = {name.casefold(): name for name in properties}
    if expected_column.casefold() in by_name:
        return by_name[expected_column.casefold()]
    listed: list[str] = [
        name for name, rule in properties.items() if isinstance(rule, dict) and "enum" in rule
    ]
    return (listed or list(properties))[0]


def _value(text: str, parsed: Any, field: str) -> Any:
    if parsed is None:
        return text
    if field and isinstance(parsed, dict):
        return parsed.get(field)
    return parsed


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value.strip().casefold()
    return dump_json(value).decode().casefold()


def _same_value(found: Any, expected: str) -> bool:
    try:
        wanted = orjson.loads(expected)
    except orjson.JSONDecodeError:
        return False
    if _is_number(found) and _is_number(wanted):
        return math.isclose(found, wanted, rel_tol=1e-9)
    return bool(found == wanted and type(found) is type(wanted))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
