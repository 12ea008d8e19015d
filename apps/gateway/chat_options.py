"""The fields of a chat body that are ours and asked for per call: `cache` and `repair`. Pure."""

from typing import Any

from apps.core.errors import InvalidRequest
from apps.runs.answer_cache import LONGEST_SECONDS
from apps.runs.repair import MOST_ATTEMPTS


def cache_seconds(body: dict[str, Any]) -> int | None:
    """`cache: {"ttl_seconds": n}`, None where no cache is asked for. Raises InvalidRequest."""
    return _only_number(body, "cache", "ttl_seconds", 1, LONGEST_SECONDS)


def repair_attempts(body: dict[str, Any], *, stream: bool) -> int:
    """`repair: {"attempts": n}`; not for a stream, whose text is out already. Raises InvalidRequest."""
    attempts = _only_number(body, "repair", "attempts", 0, MOST_ATTEMPTS) or 0
    if attempts and stream:
        raise InvalidRequest("A streamed answer can't be repaired.", code="repair_of_stream", param="repair")
    return attempts


def _only_number(body: dict[str, Any], name: str, inner: str, least: int, most: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidRequest(f"{name} is an object with {inner}.", code="parameter_invalid", param=name)
    for other in value.keys() - {inner}:
        raise InvalidRequest(
            f"'{name}.{other}' is not supported.", code="unsupported_parameter", param=f"{name}.{other}"
        )
    number = value.get(inner)
    if isinstance(number, int) and not isinstance(number, bool) and least <= number <= most:
        return number
    raise InvalidRequest(
        f"{name}.{inner} must be a whole number from {least:,} to {most:,}.",
        code="parameter_invalid",
        param=f"{name}.{inner}",
    )
