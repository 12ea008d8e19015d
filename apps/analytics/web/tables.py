"""Panels that are tables: what changed most, the most called, defaults that don't fit.

Each is a list of rows to read, and the same cells as a file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.utils import timezone

from apps.analytics import queries
from apps.analytics.changes import LEAST_REQUESTS, MEASURES, Changed, what_changed
from apps.analytics.dimensions import DIMENSIONS
from apps.analytics.incidents.queries import between
from apps.analytics.metrics import METRICS
from apps.analytics.queries import Asked, Figures, Group, Override, Row
from apps.analytics.queries.moves import label_moves
from apps.analytics.web.figures import cost_words, in_sentence, words
from apps.analytics.web.state import State
from apps.analytics.wording import Change, format_change, format_value
from apps.core import charts, ids
from apps.core.charts.figures import Cell, exact_figure
from apps.core.charts.figures import Row as FileRow
from apps.core.formatting import format_percent
from apps.prompts.models import Prompt

MOST_ROWS: Final = 10
MOST_CHANGES: Final = 8
MOST_GROUPS: Final = 50
MOST_MOVES: Final = 200
MOST_OVERRIDES: Final = 10

_CHANGED: Final = ("Measure", "Before", "Now", "Change", "In this time")
_TOP: Final = ("Calls", "Cost", "Unknown price", "Errors", "p95")
_OVERRIDDEN: Final = ("Default", "Share", "Replaced", "Calls")


@dataclass(frozen=True)
class TableRow:
    """A row: its head with where it leads, and a cell a column; `change` is drawn in place of its words."""

    head: str
    href: str
    columns: Sequence[str]
    cells: Sequence[Cell]
    change: Change | None = None
    badge: str = ""

    @property
    def labelled(self) -> list[tuple[str, Cell]]:
        """Each cell with its column."""
        return list(zip(self.columns, self.cells, strict=True))


@dataclass(frozen=True)
class Listed:
    """A table of a panel. `empty` is said where there is no row; `texts` are the columns of words."""

    title: str
    meta: str
    head: str
    columns: Sequence[str]
    rows: Sequence[TableRow]
    empty: str
    texts: Sequence[str] = ()

    def file(self) -> charts.Figures:
        """The same cells as a file."""
        rows = [FileRow(row.head, row.head, row.cells) for row in self.rows]
        return charts.Figures(self.head, self.columns, self.columns, rows)


def what_changed_most(asked: Asked, state: State) -> Listed:
    """The prompts whose error rate, latency, cost or rating changed most, and labels of theirs that moved."""
    title, texts = "What changed most", ("Measure", "In this time")
    if not asked.period.comparable:
        empty = "The time before this range is no longer kept. Choose a shorter range."
        return Listed(title, "", "Prompt", _CHANGED, [], empty, texts)
    rows = queries.breakdown(asked, "prompt", MEASURES, most=MOST_GROUPS, compare=True)
    changed = what_changed(rows, MOST_CHANGES)
    happened = _happened(asked) if changed else {}
    return Listed(
        title,
        f"against {state.before_words}; prompts of at least {LEAST_REQUESTS} calls in both",
        "Prompt",
        _CHANGED,
        [_changed_row(each, state, happened.get(each.group.value, ())) for each in changed],
        f"Nothing changed noticeably in prompts of at least {LEAST_REQUESTS} calls, now and before.",
        texts,
    )


def top(dimension: str) -> Callable[[Asked, State], Listed]:
    """The table of a dimension's most called values."""

    def listed(asked: Asked, state: State) -> Listed:
        found = DIMENSIONS[dimension]
        metrics = ("requests", "cost", "error_rate", "latency_p95")
        rows = queries.breakdown(asked, dimension, metrics, most=MOST_ROWS)
        return Listed(
            f"Top {in_sentence(found.plural)}",
            "by calls",
            found.words,
            _TOP,
            [_top_row(row, dimension, state) for row in rows],
            "No calls in this range.",
        )

    return listed


def overridden(asked: Asked, state: State) -> Listed:
    """Variables' defaults and parameters that calls replace: one that most replace does not fit."""
    return Listed(
        "Overridden defaults",
        "calls that replaced a default or a parameter",
        "Version",
        _OVERRIDDEN,
        [_overridden_row(each, state) for each in queries.overrides(asked, most=MOST_OVERRIDES)],
        "No call gave another value than its version's defaults and parameters.",
        ("Default",),
    )


def narrowed(state: State, dimension: str, group: Group) -> str:
    """The query of this group alone; what is narrowed to one value is split by something else."""
    changes: dict[str, object] = {dimension: [group.value]}
    if state.group == dimension:
        changes["group_by"] = "version" if dimension == "prompt" else ""
    return f"?{state.query(**changes)}"


def _changed_row(changed: Changed, state: State, happened: Sequence[str]) -> TableRow:
    metric = changed.metric
    change = format_change(metric, changed.now, changed.before)
    texts = (
        METRICS[metric].words,
        format_value(metric, changed.before),
        format_value(metric, changed.now),
        f"{change.words} {'more' if change.direction == 'up' else 'less'}",
        "; ".join(happened[-2:]) or "nothing known",
    )
    href = narrowed(state, "prompt", changed.group)
    return TableRow(changed.group.name, href, _CHANGED, [_same(text) for text in texts], change=change)


def _happened(asked: Asked) -> Mapping[str, Sequence[str]]:
    """By prompt what happened in the period, oldest first: labels that moved, incidents that began."""
    period = asked.period
    events = [
        (each.at, each.prompt_id, f"{each.label} to v{each.number}")
        for each in label_moves(asked, most=MOST_MOVES)
    ] + [
        (
            each.began_at,
            each.prompt_id,
            f"incident of v{each.version_number}: {each.get_metric_display().lower()}",
        )
        for each in between(asked.project_id, period.start, period.end)
        if each.began_at >= period.start
    ]
    found: dict[str, list[str]] = {}
    for at, prompt_id, words_of_it in sorted(events, key=lambda event: event[0]):
        local = timezone.localtime(at)
        text = f"{words_of_it}, {local.day} {local:%b %H:%M}"
        found.setdefault(ids.encode(Prompt.PREFIX, prompt_id), []).append(text)
    return found


def _top_row(row: Row, dimension: str, state: State) -> TableRow:
    total, sums = row.total, row.total.sums
    cells = [
        _count(sums.requests),
        Cell(cost_words(total), _exact_cost(total)),
        _count(sums.unknown_price),
        _same(words("error_rate", total)),
        _same(words("latency_p95", total)),
    ]
    href = "" if row.group.kind == "others" else narrowed(state, dimension, row.group)
    return TableRow(row.group.name, href, _TOP, cells)


def _overridden_row(found: Override, state: State) -> TableRow:
    cells = [
        _same(f"{found.name} ({found.kind})"),
        _same(format_percent(found.share)),
        _count(found.count),
        _count(found.requests),
    ]
    href = narrowed(state, "version", found.version)
    badge = "fits few calls" if found.doubtful else ""
    return TableRow(found.version.name, href, _OVERRIDDEN, cells, badge=badge)


def _exact_cost(figures: Figures) -> str:
    return exact_figure(figures.sums.cost) if figures.sums.priced else cost_words(figures)


def _count(number: int) -> Cell:
    return Cell(f"{number:,}", str(number))


def _same(text: str) -> Cell:
    return Cell(text, text)
