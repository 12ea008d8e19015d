"""What the pages of results and comparisons show, in words. Pure but for addresses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.http import HttpRequest

from apps.batches.models import BatchJob, BatchVariant
from apps.batches.results.comparing import ComparedRow, Side
from apps.batches.results.heads import row_number
from apps.batches.results.pages import ResultRow
from apps.batches.web import asking, presenting
from apps.batches.web.presenting import ShownRow


@dataclass(frozen=True, slots=True)
class Group:
    """One row of the input with the answers of all variants."""

    row: int
    cells: list[tuple[str, str]]
    expected: str
    answers: list[ShownRow]


@dataclass(frozen=True, slots=True)
class VariantTotals:
    """How the rows of one variant went; `cost_status` as the table of costs writes it."""

    variant: BatchVariant
    words: str
    href: str
    current: bool
    agreement: float | None
    latency_ms: float | None
    cost_status: str | None


@dataclass(frozen=True, slots=True)
class ShownPair:
    """One row of a comparison; `change` names what became of it: gained, lost, changed, same or nothing."""

    row: int
    cells: list[tuple[str, str]]
    expected: str
    first: ShownRow
    second: ShownRow
    change: str
    latency_change: int | None

    @property
    def latency_size(self) -> int | None:
        """The change without its sign."""
        return None if self.latency_change is None else abs(self.latency_change)


@dataclass(frozen=True, slots=True)
class SideWords:
    """One side of a comparison in words."""

    name: str
    variant: str
    public_id: str


def variant_words(variant: BatchVariant | Side) -> str:
    """A variant as tabs and heads name it."""
    return f"v{variant.version_number} · {variant.model}"


def variant_totals(
    request: HttpRequest, job: BatchJob, variants: Sequence[BatchVariant]
) -> list[VariantTotals]:
    """The variants with their totals and the address of each one's rows."""
    chosen = asking.number_of(request, "variant")
    rest = asking.query_without(request, *asking.PLACES, "variant")
    return [
        VariantTotals(
            variant=each,
            words=variant_words(each),
            href=f"?{rest}variant={each.position + 1}",
            current=chosen == each.position + 1,
            agreement=each.matched / each.compared if each.compared else None,
            latency_ms=each.latency_ms_sum / ended if (ended := each.succeeded + each.failed) else None,
            cost_status=_cost_status(job, each),
        )
        for each in variants
    ]


def side_by_side(job: BatchJob, rows: Sequence[ResultRow], columns: Sequence[str]) -> list[Group]:
    """Rows with the answers of all variants together."""
    groups: dict[int, list[ResultRow]] = {}
    for row in rows:
        groups.setdefault(row_number(job, row.item.number), []).append(row)
    shown = ((number, presenting.shown_rows(job, found, columns)) for number, found in groups.items())
    return [Group(number, answers[0].cells, answers[0].expected, answers) for number, answers in shown]


def sort_options(sorts: Mapping[str, str]) -> list[tuple[str, str]]:
    """The orders for a select: by row, and each value from either end."""
    ends = [
        (f"{sign}{name}", f"{words}, {end} first")
        for name, words in sorts.items()
        for sign, end in (("-", "largest"), ("", "smallest"))
    ]
    return [("", "By row"), *ends]


def variant_choices(variants: Sequence[BatchVariant]) -> list[tuple[str, str]]:
    """The variants of this batch for a select."""
    return [(str(each.position + 1), variant_words(each)) for each in variants]


def comparison_choices(
    job: BatchJob, variants: Sequence[BatchVariant], others: Sequence[BatchJob]
) -> list[tuple[str, str]]:
    """What a batch can be compared with: its own variants, then the others over the same rows."""
    own = [
        (f"{job.public_id}:{each.position + 1}", f"This batch, {variant_words(each)}") for each in variants
    ]
    return own + [(each.public_id, _job_words(each)) for each in others]


def side_words(side: Side, job: BatchJob) -> SideWords:
    """A side's batch and variant."""
    name = "This batch" if side.job.pk == job.pk else side.job.name
    return SideWords(name, variant_words(side), side.job.public_id)


def compared_rows(
    first: Side, second: Side, rows: Sequence[ComparedRow], columns: Sequence[str]
) -> list[ShownPair]:
    """The rows of a comparison."""
    return [_pair(first, second, row, columns) for row in rows]


def _pair(first: Side, second: Side, row: ComparedRow, columns: Sequence[str]) -> ShownPair:
    one = presenting.shown_rows(first.job, [row.first], columns)[0]
    other = presenting.shown_rows(second.job, [row.second], columns)[0]
    return ShownPair(
        row=row.row,
        cells=one.cells,
        expected=one.expected,
        first=one,
        second=other,
        change=_change(one, other),
        latency_change=_difference(one.item.latency_ms, other.item.latency_ms),
    )


def _change(one: ShownRow, other: ShownRow) -> str:
    if not one.answered or not other.answered:
        return ""
    if one.match and other.match and one.match != other.match:
        return "gained" if other.match == "match" else "lost"
    return "same" if one.output == other.output else "changed"


def _difference(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else other - one


def _cost_status(job: BatchJob, variant: BatchVariant) -> str | None:
    if job.sandbox:
        return "sandbox"
    if variant.cost_unknown and not variant.cost_used:
        return "unknown"
    return "priced" if variant.cost_used or variant.succeeded or variant.failed else None


def _job_words(job: BatchJob) -> str:
    several = f", {job.variant_count} variants" if job.variant_count > 1 else f", {job.model}"
    return f"{job.name} ({job.prompt_name} v{job.version_number}{several})"
