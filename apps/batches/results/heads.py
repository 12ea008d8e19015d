"""The columns of a file: the input's, then the answer's fields, then how the row ended."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final, Literal, NamedTuple

from apps.batches.models import BatchJob, BatchVariant, CostStatus
from apps.batches.results.rows import FileRow
from apps.batches.results.words import cost_text, match_word
from apps.core import ids
from apps.prompts.models import PromptVersion

Kind = Literal["text", "integer", "number", "boolean", "json", "money", "time"]
KINDS_OF_SCHEMA: Final[Mapping[str, Kind]] = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
}
KINDS_OF_INPUT: Final[Mapping[str, Kind]] = {
    "text": "text",
    "number": "number",
    "boolean": "boolean",
    "json": "json",
}


class Column(NamedTuple):
    """One column: its head, the kind of its values, and how a row's is found.

    `read` gives the typed value; `written`, where there is one, what a CSV file says instead of it. `ours` is
    whether all its values are words and figures of ours, which no spreadsheet takes for a formula.
    """

    head: str
    kind: Kind
    read: Callable[[FileRow], Any]
    written: Callable[[FileRow], Any] | None = None
    ours: bool = False


def columns_of(job: BatchJob, variants: Sequence[BatchVariant]) -> list[Column]:
    """All columns of a job's file; no head comes twice, so a dataset's own `output` does not hide ours."""
    found = [_row_column(job)]
    if job.variant_count > 1:
        found += _variant_columns(job, variants)
    found += [_input_column(each) for each in job.dataset_version.columns if each["role"] != "expected"]
    found += [_field_column(name, rule) for name, rule in output_fields(job, variants).items()]
    found += _ENDS
    return _distinct(found)


def output_fields(job: BatchJob, variants: Sequence[BatchVariant] = ()) -> dict[str, Any]:
    """The top fields of the output schema and their rules, in the order it is stored; none for plain text.

    Those of all versions where several run.
    """
    versions: list[PromptVersion | None] = [each.prompt_version for each in variants]
    versions = versions or [job.prompt_version]
    fields: dict[str, Any] = {}
    for version in versions:
        schema = version.output_schema if version else None
        properties = schema.get("properties") if isinstance(schema, dict) else None
        for name, rule in (properties if isinstance(properties, dict) else {}).items():
            fields.setdefault(name, rule)
    return fields


def row_number(job: BatchJob, number: int) -> int:
    """Which row of the input a number means; those of further rounds through a dataset count on."""
    return (number - 1) // job.variant_count + 1


def _row_column(job: BatchJob) -> Column:
    variants = job.variant_count
    if variants == 1:
        return _ours("row", "integer", attrgetter("number"))
    return _ours("row", "integer", lambda row: (row.number - 1) // variants + 1)


def _variant_columns(job: BatchJob, variants: Sequence[BatchVariant]) -> list[Column]:
    count = job.variant_count
    by_position = {each.position: each for each in variants}

    def of(row: FileRow) -> BatchVariant | None:
        return by_position.get((row.number - 1) % count)

    return [
        _ours("variant", "integer", lambda row: (row.number - 1) % count + 1),
        _ours("version", "integer", lambda row: (found := of(row)) and found.version_number),
        Column("model", "text", lambda row: (found := of(row)) and found.model),
    ]


def _input_column(column: Mapping[str, str]) -> Column:
    head, name, role = column["column"], column["name"], column["role"]

    def read(row: FileRow) -> Any:
        source = row.source
        if role == "ignore":
            return (source.given or {}).get(head)
        return (source.variables if role == "variable" else source.metadata).get(name)

    def written(row: FileRow) -> Any:
        given = row.source.given
        return read(row) if given is None else given.get(head)

    # An ignored column has no type of its own: it stays as it came.
    kind: Kind = "json" if role == "ignore" else KINDS_OF_INPUT.get(column.get("type", "text"), "text")
    return Column(head, kind, read, written)


def _field_column(name: str, rule: Any) -> Column:
    kind = rule.get("type") if isinstance(rule, dict) else None
    known: Kind = KINDS_OF_SCHEMA.get(kind, "json") if isinstance(kind, str) else "json"

    def read(row: FileRow) -> Any:
        parsed = row.parsed
        return parsed.get(name) if type(parsed) is dict else None

    return Column(name, known, read)


def _known_cost(row: FileRow) -> Decimal | None:
    return None if row.cost_status == CostStatus.UNKNOWN else row.cost


def _ours(
    head: str,
    kind: Kind,
    read: Callable[[FileRow], Any] | None = None,
    written: Callable[[FileRow], Any] | None = None,
) -> Column:
    return Column(head, kind, read or attrgetter(head), written, ours=True)


_ENDS: Final = (
    _ours("status", "text"),
    Column("output", "text", attrgetter("output")),
    Column("expected", "text", attrgetter("source.expected")),
    _ours("match", "boolean", attrgetter("matches"), match_word),
    _ours("error_code", "text", lambda row: row.error_code or None),
    Column("error_message", "text", lambda row: row.error_message or None),
    _ours("finish_reason", "text", lambda row: row.finish_reason or None),
    _ours("input_tokens", "integer"),
    _ours("output_tokens", "integer"),
    _ours("cost_usd", "money", _known_cost, lambda row: cost_text(row.cost, row.cost_status)),
    _ours("cost_status", "text", lambda row: row.cost_status or None),
    _ours("latency_ms", "integer"),
    _ours("finished_at", "time", None, lambda row: (found := row.finished_at) and found.isoformat()),
    _ours("run_id", "text", lambda row: ids.encode("run", row.run_id) if row.run_id else None),
)


def _distinct(columns: Sequence[Column]) -> list[Column]:
    found: dict[str, Column] = {}
    for column in columns:
        head, count = column.head, 1
        while head in found:
            count += 1
            head = f"{column.head} ({count})"
        found[head] = column._replace(head=head)
    return list(found.values())
