"""A batch's rows for its files, chunk by chunk: constant memory, no transaction longer than a chunk's read.

A slow reader holds no transaction open, since each chunk has a scope of its own. Rows are plain tuples: a
hundred thousand model instances take four times as long.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import TextField
from django.db.models.functions import Cast

from apps.batches.models import BatchJob
from apps.batches.numbering import place, rows_used
from apps.batches.results.selecting import ResultFilters, matching_items, untaken_numbers, waiting_status
from apps.core.scope import organization_scope
from apps.datasets.models import DatasetRow
from apps.runs.queries import content_sizes, load_outputs

CHUNK: Final = 2_000
"""Rows that are read at once."""

CHUNK_BYTES: Final = 8 * 1024 * 1024
"""Of answers and inputs that are held at once; one row may be larger than that by itself."""

_SIZE: Final = """
SELECT coalesce((
    SELECT sum(octet_length(output)) FROM batches_batchitem
    WHERE organization_id = %(organization)s AND batch_id = %(job)s AND number BETWEEN %(first)s AND %(last)s
), 0) + coalesce((
    SELECT sum(octet_length(variables::text) + octet_length(metadata::text)
               + coalesce(octet_length(source), 0))
    FROM datasets_datasetrow
    WHERE organization_id = %(organization)s AND dataset_version_id = %(version)s
      AND number BETWEEN %(first_row)s AND %(last_row)s
), 0)
"""


class Source(NamedTuple):
    """What the dataset says of a row; `given` is the row as it came in where the rest can't say it."""

    variables: Mapping[str, Any] = {}
    expected: str | None = None
    metadata: Mapping[str, Any] = {}
    given: Mapping[str, Any] | None = None


class FileRow(NamedTuple):
    """A row of a batch with its source, as files tell it."""

    number: int
    source: Source
    status: str
    output: str = ""
    truncated: bool = False
    parsed: Any = None
    matches: bool | None = None
    error_code: str = ""
    error_message: str = ""
    finish_reason: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: Decimal | None = None
    cost_status: str = ""
    latency_ms: int | None = None
    run_id: UUID | None = None
    finished_at: datetime | None = None


_COLUMNS: Final = (
    *("number", "status", "output", "output_truncated", "parsed_text", "matches", "error_code"),
    *("error_message", "finish_reason", "input_tokens", "output_tokens", "cost", "cost_status", "latency_ms"),
    *("run_id", "finished_text"),
)
_NOTHING: Final = Source()


def read_chunks(job: BatchJob, filters: ResultFilters, after: int = 0) -> Iterator[list[FileRow]]:
    """The rows that are asked for, in order, from the one after row `after` of the input on; opens scopes."""
    first = after * job.variant_count + 1
    while first <= job.total:
        with organization_scope(job.organization_id):
            last = _fitting(job, first, min(first + CHUNK - 1, job.total))
            rows = _read(job, filters, first, last)
        yield from _completed(job.organization_id, rows)
        first = last + 1


def _fitting(job: BatchJob, first: int, last: int) -> int:
    """Where a chunk from `first` has to end so that it fits into memory."""
    while last > first and _size(job, first, last) > CHUNK_BYTES:
        last = first + (last - first) // 2
    return last


def _size(job: BatchJob, first: int, last: int) -> int:
    used = rows_used(job)
    rows = [place(each, variants=job.variant_count, rows=used).row for each in (first, last)]
    names: dict[str, Any] = {
        "organization": job.organization_id,
        "job": job.pk,
        "version": job.dataset_version_id,
        "first": first,
        "last": last,
        "first_row": min(rows),
        "last_row": max(rows),
    }
    with connection.cursor() as cursor:
        cursor.execute(_SIZE, names)
        return int(cursor.fetchone()[0])


def _read(job: BatchJob, filters: ResultFilters, first: int, last: int) -> list[FileRow]:
    # Asked anew, and before the items: what is taken in between is then told once, and nothing is left out.
    job.refresh_from_db(fields=["next_number", "status"])
    waiting = untaken_numbers(job, filters, first, last)
    # By ranges of numbers, which are gapless, and not by LIMIT: the planner can't mistake it for a sort.
    items = matching_items(job, filters, first, last).order_by("number")
    texts = {"parsed_text": Cast("parsed", TextField()), "finished_text": Cast("finished_at", TextField())}
    found = list(items.annotate(**texts).values_list(*_COLUMNS))
    sources = _sources(job, [*(row[0] for row in found), *waiting])
    rows = [
        FileRow._make((row[0], sources[row[0]], *row[1:4], _json(row[4]), *row[5:15], _time(row[15])))
        for row in found
    ]
    taken = {row.number for row in rows}
    rest = waiting_status(job)
    return rows + [FileRow(each, sources[each], rest) for each in waiting if each not in taken]


def _row(found: Sequence[Any], source: Source) -> FileRow:
    number, *before, parsed = found[:5]
    return FileRow._make((number, source, *before, _json(parsed), *found[5:-1], _time(found[-1])))


def _sources(job: BatchJob, numbers: Sequence[int]) -> dict[int, Source]:
    if not numbers:
        return {}
    used = rows_used(job)
    wanted = {each: place(each, variants=job.variant_count, rows=used).row for each in numbers}
    found = DatasetRow.objects.filter(dataset_version_id=job.dataset_version_id)
    if len(numbers) > CHUNK // 10:
        found = found.filter(number__gte=min(wanted.values()), number__lte=max(wanted.values()))
    else:
        found = found.filter(number__in=set(wanted.values()))
    texts = found.annotate(
        variables_text=Cast("variables", TextField()), metadata_text=Cast("metadata", TextField())
    ).values_list("number", "variables_text", "expected", "metadata_text", "source")
    rows = {
        number: Source(orjson.loads(variables), expected, orjson.loads(metadata), _json(given))
        for number, variables, expected, metadata, given in texts
    }
    # Retention takes a dataset's rows once it has taken the answers.
    return {number: rows.get(row, _NOTHING) for number, row in wanted.items()}


def _json(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)


def _time(text: str | None) -> datetime | None:
    # As text, since Django's reader of times takes a tenth of a file's seconds. Sessions are in UTC.
    return None if text is None else datetime.fromisoformat(text)


def _completed(organization_id: UUID, rows: list[FileRow]) -> Iterator[list[FileRow]]:
    """Items hold the beginning of a long answer; the whole one is sealed with the run, while it is kept."""
    cut = [row.run_id for row in rows if row.truncated and row.run_id]
    if not cut:
        if rows:
            yield rows
        return
    with organization_scope(organization_id):
        sizes = content_sizes(cut)
    for part in _parts(rows, sizes):
        ids = [row.run_id for row in part if row.truncated and row.run_id]
        with organization_scope(organization_id):
            outputs = load_outputs(organization_id, ids)
        yield [
            row._replace(output=outputs[row.run_id]) if row.truncated and row.run_id in outputs else row
            for row in part
        ]


def _parts(rows: list[FileRow], sizes: Mapping[UUID, int]) -> Iterator[list[FileRow]]:
    """The rows in pieces whose sealed contents fit into memory together."""
    part: list[FileRow] = []
    held = 0
    for row in rows:
        size = sizes.get(row.run_id, 0) if row.truncated and row.run_id else 0
        if part and held + size > CHUNK_BYTES:
            yield part
            part, held = [], 0
        part.append(row)
        held += size
    if part:
        yield part
