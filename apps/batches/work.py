"""How a job's rows become calls, as a job keeps it in `work`. Pure.

``{"kind": "rows"}``
    one call a row;
``{"kind": "multi_row", "variable": "rows", "rows_per_call": 20, "tokens_per_call": 4000}``
    up to so many rows in one call: the prompt's JSON variable `variable` gets a list of objects, each with an
    `id` and the row's own values, and the answer is a JSON list of objects with the same ids;
``{"kind": "chunked", "variable": "text", "tokens": 2000, "overlap": 100, "reduce": {"prompt": …}}``
    a value that is too long is cut into pieces, the prompt runs over each, and the prompt `reduce` makes one
    answer of the pieces' answers, which its JSON variable `parts` gets.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, NoReturn

from apps.core.errors import InvalidRequest

MOST_ROWS_PER_CALL: Final = 200
MOST_TOKENS: Final = 200_000
LEAST_CHUNK: Final = 50
DEFAULT_ROWS_PER_CALL: Final = 20
DEFAULT_TOKENS_PER_CALL: Final = 4_000
DEFAULT_CHUNK: Final = 2_000
DEFAULT_OVERLAP: Final = 100


@dataclass(frozen=True, slots=True)
class RowWork:
    """One call a row."""

    kind: str = "rows"


@dataclass(frozen=True, slots=True)
class MultiRowWork:
    """Several rows in one call, at most `rows_per_call` and about `tokens_per_call` tokens of them."""

    variable: str = "rows"
    rows_per_call: int = DEFAULT_ROWS_PER_CALL
    tokens_per_call: int = DEFAULT_TOKENS_PER_CALL
    kind: str = "multi_row"


@dataclass(frozen=True, slots=True)
class Reduce:
    """The prompt that makes one answer of many. `version` is fixed when the job starts.

    `max_tokens` bounds the answer's length, None where the version or nobody does.
    """

    prompt: str
    version: int | None = None
    label: str | None = None
    model: str = ""
    variable: str = "parts"
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ChunkedWork:
    """Long values in pieces of about `tokens`, of which each repeats the last `overlap` of the one before."""

    variable: str
    reduce: Reduce
    tokens: int = DEFAULT_CHUNK
    overlap: int = DEFAULT_OVERLAP
    kind: str = "chunked"


Work = RowWork | MultiRowWork | ChunkedWork


def parse_work(told: Mapping[str, Any]) -> Work:
    """Read what a caller or a job says. Raises InvalidRequest ``work_invalid`` that names the field."""
    kind = told.get("kind", "rows")
    if kind == "rows":
        _only(told, ())
        return RowWork()
    if kind == "multi_row":
        _only(told, ("variable", "rows_per_call", "tokens_per_call"))
        return MultiRowWork(
            variable=_name(told, "variable", "rows"),
            rows_per_call=_number(told, "rows_per_call", DEFAULT_ROWS_PER_CALL, 2, MOST_ROWS_PER_CALL),
            tokens_per_call=_number(told, "tokens_per_call", DEFAULT_TOKENS_PER_CALL, 1, MOST_TOKENS),
        )
    if kind != "chunked":
        _refuse("kind", "one of rows, multi_row and chunked")
    return _chunked(told)


def as_json(work: Work) -> dict[str, Any]:
    """As a job keeps it."""
    return asdict(work)


def _chunked(told: Mapping[str, Any]) -> ChunkedWork:
    _only(told, ("variable", "tokens", "overlap", "reduce"))
    size = _number(told, "tokens", DEFAULT_CHUNK, LEAST_CHUNK, MOST_TOKENS)
    reduce = told.get("reduce")
    if not isinstance(reduce, Mapping):
        _refuse("reduce", "an object with the prompt that makes one answer of the pieces' answers")
    for name in reduce:
        if name not in Reduce.__slots__:
            _refuse(f"reduce.{name}", "left out: it is not known")
    version, label = reduce.get("version"), reduce.get("label")
    if version is not None and (not isinstance(version, int) or isinstance(version, bool) or version < 1):
        _refuse("reduce.version", "a version's number")
    if label is not None and (not isinstance(label, str) or version is not None):
        _refuse("reduce.label", "a label's name, without a version beside it")
    return ChunkedWork(
        variable=_name(told, "variable", ""),
        tokens=size,
        overlap=_number(told, "overlap", min(DEFAULT_OVERLAP, size // 4), 0, size // 2),
        reduce=Reduce(
            prompt=_name(reduce, "prompt", "", "reduce."),
            version=version,
            label=label,
            model=_text(reduce, "model", "reduce."),
            variable=_name(reduce, "variable", "parts", "reduce."),
            max_tokens=None
            if reduce.get("max_tokens") is None
            else _number(reduce, "max_tokens", 1, 1, MOST_TOKENS, "reduce."),
        ),
    )


def _only(told: Mapping[str, Any], names: tuple[str, ...]) -> None:
    for name in told:
        if name not in (*names, "kind"):
            _refuse(str(name), "left out: it is not known for this kind")


def _name(told: Mapping[str, Any], name: str, default: str, within: str = "") -> str:
    value = told.get(name, default)
    if not isinstance(value, str) or not value or len(value) > 255:
        _refuse(f"{within}{name}", "a name")
    return value


def _text(told: Mapping[str, Any], name: str, within: str) -> str:
    value = told.get(name) or ""
    if not isinstance(value, str) or len(value) > 255:
        _refuse(f"{within}{name}", "a text")
    return value


def _number(told: Mapping[str, Any], name: str, default: int, least: int, most: int, within: str = "") -> int:
    value = told.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        _refuse(f"{within}{name}", f"a whole number from {least:,} to {most:,}")
    return value


def _refuse(name: str, wanted: str) -> NoReturn:
    raise InvalidRequest(f"work.{name} must be {wanted}.", code="work_invalid", param=f"work.{name}")
