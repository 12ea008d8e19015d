"""Checking an answer against the version's JSON Schema."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import jsonschema_rs
import orjson

from apps.core.json_bodies import DEPTH_LIMIT, is_too_deep
from apps.providers.types import ChatRequest
from apps.runs.types import RunError

ANY_OBJECT: Final[dict[str, Any]] = {"type": "object"}
MOST_TOLD: Final = 500


def expected_of(chat: ChatRequest) -> dict[str, Any] | None:
    """The schema that an answer has to fit; any object does where the call asks for JSON without a schema."""
    if chat.output_schema is not None:
        return chat.output_schema
    wanted = chat.parameters.get("response_format")
    return ANY_OBJECT if wanted is not None and wanted.get("type") == "json_object" else None


def parse_output(text: str, schema: dict[str, Any] | None) -> tuple[Any, RunError | None]:
    """The answer as JSON and why it does not fit; (None, None) where no schema was asked for."""
    if schema is None:
        return None, None
    parsed, problem = _parsed(text)
    if problem is None:
        problem = _misfit(parsed, schema, _place)
    return parsed, None if problem is None else _invalid(problem)


def problem_of(text: str, schema: dict[str, Any] | None) -> str | None:
    """Why an answer does not fit, in words for the model that wrote it: they may quote it.

    None where another answer would fit no better.
    """
    if schema is None:
        return None
    parsed, problem = _parsed(text)
    if problem is not None:
        return problem
    try:
        _validator(orjson.dumps(schema))
    except ValueError:
        return None
    return _misfit(parsed, schema, _quoting)


def _misfit(parsed: Any, schema: dict[str, Any], told: Callable[[Any], str]) -> str | None:
    try:
        validator = _validator(orjson.dumps(schema))
    except ValueError as error:
        return f"The version's schema can't be used: {error}"
    try:
        validator.validate(parsed)
    except jsonschema_rs.ValidationError as error:
        return f"The answer does not fit the schema at /{told(error)}."
    except ValueError as error:
        return f"The version's schema can't be used: {error}"
    return None


def _place(error: Any) -> str:
    """Where an answer does not fit, without the names that only the answer has.

    Errors are stored in the clear, so they say neither its values nor its own keys.
    """
    known = set(map(str, error.schema_path))
    steps = (str(step) if isinstance(step, int) or step in known else "*" for step in error.instance_path)
    return f"{'/'.join(steps)} ({error.kind.name})"


def _quoting(error: Any) -> str:
    path = "/".join(str(step) for step in error.instance_path)
    return f"{path}: {error.message[:MOST_TOLD]}"


def _parsed(text: str) -> tuple[Any, str | None]:
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return None, f"The answer is not JSON (at character {error.pos})."
    if is_too_deep(parsed):
        # It could be read, but not written into an answer of ours.
        return None, f"The answer is nested deeper than {DEPTH_LIMIT} levels."
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
