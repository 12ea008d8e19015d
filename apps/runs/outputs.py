"""Checking an answer against the version's JSON Schema."""

from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson

from apps.core.json_bodies import DEPTH_LIMIT, is_too_deep
from apps.runs.types import RunError


def parse_output(text: str, schema: dict[str, Any] | None) -> tuple[Any, RunError | None]:
    """The answer as JSON and why it does not fit; (None, None) where no schema was asked for."""
    if schema is None:
        return None, None
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return None, _invalid(f"The answer is not JSON (at character {error.pos}).")
    if is_too_deep(parsed):
        # It could be read, but not written into an answer of ours.
        return None, _invalid(f"The answer is nested deeper than {DEPTH_LIMIT} levels.")
    try:
        _validator(orjson.dumps(schema)).validate(parsed)
    except jsonschema_rs.ValidationError as error:
        path = "/".join(str(step) for step in error.instance_path)
        # The validator's own message quotes the answer, and errors are stored in the clear.
        return parsed, _invalid(f"The answer does not fit the schema at /{path} ({error.kind.name}).")
    except ValueError as error:
        return parsed, _invalid(f"The version's schema can't be used: {error}")
    return parsed, None


def parse_json(text: str) -> Any:
    """The text as JSON, None where it is not, or too deep to be written again."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return None if is_too_deep(value) else value


@lru_cache(maxsize=512)
def _validator(schema: bytes) -> Any:
    # Linear-time patterns and no fetching of remote references: schemas come from customers.
    return jsonschema_rs.validator_for(
        orjson.loads(schema), pattern_options=jsonschema_rs.RegexOptions(), offline=True
    )


def _invalid(message: str) -> RunError:
    return RunError(code="output_invalid", type="provider_error", message=message[:500], status=422)
