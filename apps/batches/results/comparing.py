"""Two answers to the same rows: of another batch over the same dataset, of a re-run, or of another variant.

Call inside the organization's scope. What changed is counted over the first `COMPARED_ROWS` rows, and rows
are shown window by window, so a comparison of a million rows costs what one of ten thousand does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.db import connection

from apps.batches.models import BatchItem, BatchJob, BatchVariant
from apps.batches.numbering import rows_used
from apps.batches.results.pages import ResultRow, with_source
from apps.core.errors import InvalidRequest, NotFound

COMPARED_ROWS: Final = 10_000
WINDOW: Final = 10_000
MATCHED_ROWS: Final = 50_000
"""Up to here rows of two versions are matched, by what they were copied from: all of them are read for it."""

_VALUE: Final = """CASE WHEN %({side}_field)s <> '' AND jsonb_typeof({side}.parsed) = 'object'
    THEN {side}.parsed ->> %({side}_field)s ELSE {side}.output END"""

_FIGURES: Final = f"""a.number AS a_number, b.number AS b_number,
       a.status = 'succeeded' AS a_done, b.status = 'succeeded' AS b_done,
       a.matches AS a_match, b.matches AS b_match, a.cost AS a_cost, b.cost AS b_cost,
       a.latency_ms AS a_latency, b.latency_ms AS b_latency,
       a.input_tokens + a.output_tokens AS a_tokens, b.input_tokens + b.output_tokens AS b_tokens,
       {_VALUE.format(side="a")} = {_VALUE.format(side="b")} AS same"""

_SAME_ROWS: Final = f"""
SELECT (a.number - 1) / %(a_count)s + 1 AS row, {_FIGURES}
FROM batches_batchitem AS a JOIN batches_batchitem AS b
  ON b.organization_id = %(organization)s AND b.batch_id = %(b)s
  AND b.number = (a.number - 1) / %(a_count)s * %(b_count)s + %(b_variant)s + 1
  AND b.number BETWEEN %(b_first)s AND %(b_last)s
WHERE a.organization_id = %(organization)s AND a.batch_id = %(a)s
  AND a.number BETWEEN %(first)s AND %(last)s AND (a.number - 1) %% %(a_count)s = %(a_variant)s
"""

# A row that was copied, into a later version or for a re-run, keeps the first one's id.
_COPIED_ROWS: Final = f"""
SELECT one.number AS row, {_FIGURES}
FROM datasets_datasetrow AS one
JOIN datasets_datasetrow AS two ON coalesce(two.origin_id, two.id) = coalesce(one.origin_id, one.id)
JOIN batches_batchitem AS a ON a.organization_id = %(organization)s AND a.batch_id = %(a)s
  AND a.number = (one.number - 1) * %(a_count)s + %(a_variant)s + 1
JOIN batches_batchitem AS b ON b.organization_id = %(organization)s AND b.batch_id = %(b)s
  AND b.number = (two.number - 1) * %(b_count)s + %(b_variant)s + 1
WHERE one.organization_id = %(organization)s AND one.dataset_version_id = %(a_version)s
  AND one.number BETWEEN %(first_row)s AND %(last_row)s
  AND two.organization_id = %(organization)s AND two.dataset_version_id = %(b_version)s
"""

_SUMMARY: Final = """
SELECT count(*) FILTER (WHERE a_done AND b_done), count(*) FILTER (WHERE a_done AND b_done AND same),
       count(*) FILTER (WHERE a_match IS FALSE AND b_match),
       count(*) FILTER (WHERE a_match AND b_match IS FALSE),
       count(*) FILTER (WHERE a_match IS NOT NULL AND b_match IS NOT NULL),
       count(*) FILTER (WHERE a_match AND b_match IS NOT NULL),
       count(*) FILTER (WHERE b_match AND a_match IS NOT NULL),
       count(*) FILTER (WHERE a_done AND NOT b_done), count(*) FILTER (WHERE b_done AND NOT a_done),
       avg(a_latency) FILTER (WHERE a_done AND b_done), avg(b_latency) FILTER (WHERE a_done AND b_done),
       avg(a_tokens) FILTER (WHERE a_done AND b_done), avg(b_tokens) FILTER (WHERE a_done AND b_done),
       avg(a_cost) FILTER (WHERE a_done AND b_done), avg(b_cost) FILTER (WHERE a_done AND b_done)
FROM ({pairs}) AS pair
"""

KINDS: Final[Mapping[str, str]] = {
    "changed": "Changed answers",
    "gained": "Match gained",
    "lost": "Match lost",
    "only_first": "Answered in the first only",
    "only_second": "Answered in the second only",
    "all": "All rows",
}
_CONDITIONS: Final[Mapping[str, str]] = {
    "changed": "a_done AND b_done AND NOT same",
    "gained": "a_match IS FALSE AND b_match",
    "lost": "a_match AND b_match IS FALSE",
    "only_first": "a_done AND NOT b_done",
    "only_second": "b_done AND NOT a_done",
    "all": "TRUE",
}


@dataclass(frozen=True, slots=True)
class Side:
    """One variant of one batch."""

    job: BatchJob
    variant: int
    version_number: int
    model: str
    match_field: str
    variants: Sequence[BatchVariant]


@dataclass(frozen=True, slots=True)
class Means:
    """What a row of one side takes on average, over rows that both answered; None where it is not known."""

    latency_ms: float | None
    tokens: float | None
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is different between two sides, in the first `looked` rows of `rows`.

    `gained` and `lost` are matches of the second side; `expected` is how many rows both were compared with an
    expected value, of which the sides matched `first_matched` and `second_matched`.
    """

    rows: int
    looked: int
    answered: int
    same: int
    gained: int
    lost: int
    expected: int
    first_matched: int
    second_matched: int
    only_first: int
    only_second: int
    first: Means
    second: Means

    @property
    def changed(self) -> int:
        """Rows that both answered, differently."""
        return self.answered - self.same

    @property
    def agreement(self) -> float | None:
        """The share of equal answers among the rows that both answered."""
        return self.same / self.answered if self.answered else None


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One row of the input with both sides' answers."""

    row: int
    first: ResultRow
    second: ResultRow


@dataclass(frozen=True, slots=True)
class ComparedPage:
    """Rows in order; `after` is the row to go on from, `looked_to` where looking ended before it was full."""

    rows: list[ComparedRow]
    after: int | None
    looked_to: int | None


def side_of(job: BatchJob, position: int, variants: Sequence[BatchVariant]) -> Side:
    """A variant of a batch by its position from 0. Raises NotFound for one that it has not."""
    if not 0 <= position < job.variant_count:
        raise unknown_variant(job)
    found = next((each for each in variants if each.position == position), None)
    facts: BatchJob | BatchVariant = found or job
    return Side(job, position, facts.version_number, facts.model, facts.match_field, variants)


def unknown_variant(job: BatchJob) -> NotFound:
    """What is said of a variant that a batch has not."""
    words = "one variant" if job.variant_count == 1 else f"the variants 1 to {job.variant_count}"
    return NotFound(f"This batch has {words}.", code="variant_unknown", param="variant")


def compare(first: Side, second: Side) -> Comparison:
    """Count what is different; one query. Raises InvalidRequest for sides that ran over different rows."""
    rows = _rows(first, second)
    with connection.cursor() as cursor:
        cursor.execute(
            _SUMMARY.format(pairs=_pairs(first, second)), _names(first, second, 1, min(rows, COMPARED_ROWS))
        )
        found = cursor.fetchone()
    latencies, tokens, costs = found[9:11], found[11:13], found[13:15]
    means = [
        Means(_float(latency), _float(token), cost)
        for latency, token, cost in zip(latencies, tokens, costs, strict=True)
    ]
    return Comparison(rows, min(rows, COMPARED_ROWS), *found[:9], *means)


def compared_page(first: Side, second: Side, kind: str, *, after: int = 0, limit: int = 25) -> ComparedPage:
    """Rows of one of `KINDS` after a row of the input; three queries."""
    rows = _rows(first, second)
    last = min(after + WINDOW, rows)
    pairs = _pairs(first, second)
    statement = f"SELECT row, a_number, b_number FROM ({pairs}) AS pair WHERE {_CONDITIONS[kind]}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"{statement} ORDER BY row LIMIT %(limit)s",
            _names(first, second, after + 1, last) | {"limit": limit + 1},
        )
        found = cursor.fetchall()
    shown = found[:limit]
    firsts = _by_number(first.job, [row[1] for row in shown])
    seconds = _by_number(second.job, [row[2] for row in shown])
    compared = [
        ComparedRow(row, firsts[a], seconds[b]) for row, a, b in shown if a in firsts and b in seconds
    ]
    if len(found) > limit:
        return ComparedPage(compared, shown[-1][0], None)
    more = last if last < rows else None
    return ComparedPage(compared, more, more)


def _by_number(job: BatchJob, numbers: Sequence[int]) -> dict[int, ResultRow]:
    items = list(BatchItem.objects.filter(batch=job, number__in=numbers))
    return {row.item.number: row for row in with_source(job, items)}


def _pairs(first: Side, second: Side) -> str:
    return _SAME_ROWS if _same_version(first, second) else _COPIED_ROWS


def _same_version(first: Side, second: Side) -> bool:
    return first.job.dataset_version_id == second.job.dataset_version_id


def _rows(first: Side, second: Side) -> int:
    """How many rows of the first side the second one may have answered too."""
    rows = [min(each.job.total // each.job.variant_count, rows_used(each.job)) for each in (first, second)]
    if _same_version(first, second):
        return min(rows)
    if not _related(first.job, second.job):
        raise InvalidRequest(
            "Only batches over the same dataset, and re-runs of rows, have rows in common.",
            code="rows_differ",
            param="with",
        )
    if max(rows) > MATCHED_ROWS:
        message = f"Rows of two versions are matched up to {MATCHED_ROWS:,} of them."
        raise InvalidRequest(message, code="rows_differ", param="with")
    return rows[0]


def _related(one: BatchJob, other: BatchJob) -> bool:
    """Whether the one's rows may be copies of the other's."""
    same = one.dataset_version.dataset_id == other.dataset_version.dataset_id
    return same or one.rerun_of_id == other.pk or other.rerun_of_id == one.pk


def _names(first: Side, second: Side, first_row: int, last_row: int) -> dict[str, Any]:
    return {
        "organization": first.job.organization_id,
        "a": first.job.pk,
        "a_count": first.job.variant_count,
        "a_variant": first.variant,
        "a_field": first.match_field,
        "b": second.job.pk,
        "b_count": second.job.variant_count,
        "b_variant": second.variant,
        "b_field": second.match_field,
        "first": (first_row - 1) * first.job.variant_count + 1,
        "last": last_row * first.job.variant_count,
        "b_first": (first_row - 1) * second.job.variant_count + 1,
        "b_last": last_row * second.job.variant_count,
        "a_version": first.job.dataset_version_id,
        "b_version": second.job.dataset_version_id,
        "first_row": first_row,
        "last_row": last_row,
    }


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
