"""The fields of a body that are ours and asked for per call: `cache` and `repair`. Pure."""

from typing import Any, Final

from apps.core.errors import InvalidRequest
from apps.runs.cache_plan import LONGEST_SECONDS
from apps.runs.repair import MOST_ATTEMPTS
from apps.runs.types import CacheWish

# The second is what the first was called before policies knew it.
_SECONDS: Final = ("seconds", "ttl_seconds")
_CACHE_FIELDS: Final = frozenset({*_SECONDS, "semantic"})


def cache_wish(body: dict[str, Any]) -> CacheWish | None:
    """`cache`: false, true, or `{"seconds": n, "semantic": true | false | {"threshold": x}}`.

    None where the call says nothing. Raises InvalidRequest naming the field.
    """
    value = body.get("cache")
    if value is None:
        return None
    if isinstance(value, bool):
        return CacheWish(on=value)
    if not isinstance(value, dict):
        raise _invalid("cache is true, false, or an object with seconds and semantic.", "cache")
    _refuse_others(value, _CACHE_FIELDS, "cache")
    semantic, threshold = _semantic(value.get("semantic"))
    return CacheWish(seconds=_seconds(value), semantic=semantic, threshold=threshold)


def repair_attempts(body: dict[str, Any]) -> int | None:
    """`repair: {"attempts": n}`; None where the call says nothing. Raises InvalidRequest."""
    value = body.get("repair")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise _invalid("repair is an object with attempts.", "repair")
    _refuse_others(value, frozenset({"attempts"}), "repair")
    return _whole(value.get("attempts"), 0, MOST_ATTEMPTS, "repair.attempts")


def _seconds(value: dict[str, Any]) -> int | None:
    given = [name for name in _SECONDS if value.get(name) is not None]
    if not given:
        return None
    return _whole(value[given[0]], 1, LONGEST_SECONDS, f"cache.{given[0]}")


def _semantic(value: Any) -> tuple[bool | None, float | None]:
    if value is None or isinstance(value, bool):
        return value, None
    if not isinstance(value, dict):
        raise _invalid("cache.semantic is true, false, or an object with threshold.", "cache.semantic")
    _refuse_others(value, frozenset({"threshold"}), "cache.semantic")
    threshold = value.get("threshold")
    if threshold is None:
        return True, None
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0.5 <= threshold <= 1:
        raise _invalid("cache.semantic.threshold is a number from 0.5 to 1.", "cache.semantic.threshold")
    return True, float(threshold)


def _whole(number: Any, least: int, most: int, param: str) -> int:
    if isinstance(number, int) and not isinstance(number, bool) and least <= number <= most:
        return number
    raise _invalid(f"{param} must be a whole number from {least:,} to {most:,}.", param)


def _refuse_others(value: dict[str, Any], known: frozenset[str], param: str) -> None:
    for other in sorted(value.keys() - known):
        raise InvalidRequest(
            f"'{param}.{other}' is not supported.", code="unsupported_parameter", param=f"{param}.{other}"
        )


def _invalid(message: str, param: str) -> InvalidRequest:
    return InvalidRequest(message, code="parameter_invalid", param=param)
