"""Versions of a prompt side by side, with the score of each and what it is made of."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from apps.analytics import queries
from apps.analytics.efficiency import FORMULA, Efficiency
from apps.analytics.queries import VersionFigures
from apps.analytics.web.base import AnalyticsView
from apps.analytics.web.figures import words
from apps.analytics.web.state import State
from apps.core import ids
from apps.core.charts import Figures
from apps.core.charts.figures import Cell, Row
from apps.core.formatting import format_number, format_percent
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.queries import find_prompt

MOST: Final = 6
_METRICS: Final = (
    ("requests", "Calls"),
    ("error_rate", "Error rate"),
    ("schema_failure_rate", "Answers that break the schema"),
    ("latency_p50", "p50 latency"),
    ("latency_p95", "p95 latency"),
    ("cost_per_request", "Cost per call"),
    ("cost", "Cost"),
    ("unknown_price", "Calls of unknown price"),
    ("total_tokens", "Tokens"),
    ("cache_hit_rate", "Answered from the cache"),
    ("satisfaction", "Satisfaction"),
    ("feedback_count", "Ratings"),
)
# Which way is better, so that the best of a row can be marked; counts are neither.
_BEST: Final = {
    "error_rate": min,
    "schema_failure_rate": min,
    "latency_p50": min,
    "latency_p95": min,
    "cost_per_request": min,
    "satisfaction": max,
}


@dataclass(frozen=True)
class Compared:
    """One row of the comparison: a measure of each version, and which of them are best."""

    name: str
    cells: list[tuple[str, bool]]


class VersionsIndexView(AnalyticsView):
    """Which prompt's versions: the chosen one's page, else the most called prompt's."""

    current: ClassVar[str] = "versions"
    compares: ClassVar[bool] = False
    offers_filters: ClassVar[bool] = False

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        """Lead to a prompt's page, or say that nothing was called."""
        state = self.read_state(timezone.now())
        chosen = next(iter(state.chosen.get("prompt", ())), "")
        if chosen:
            prompt = find_prompt(self.project, chosen).public_id
        else:
            rows = queries.breakdown(state.asked(self.project), "prompt", ["requests"], most=1)
            prompt = next((row.group.value for row in rows if row.group.kind == "value"), "")
        if prompt:
            query = state.query(prompt=[])
            address = self.address("analytics:versions", prompt)
            return redirect(f"{address}?{query}" if query else address)
        return self.page("analytics/versions_none.html", state, {})


class VersionsView(AnalyticsView):
    """A prompt's newest versions that were called in the range or bear a label."""

    current: ClassVar[str] = "versions"
    compares: ClassVar[bool] = False
    offers_filters: ClassVar[bool] = False

    def get(self, request: HttpRequest, *, prompt: str, **_: str) -> HttpResponse:
        """Answer with the comparison, or with it as a file. Raises NotFound."""
        found = find_prompt(self.project, prompt)
        state = self.read_state(timezone.now())
        rows = queries.versions(self.project.id, found.pk, state.period, sandbox=state.sandbox, most=MOST)
        compared = _compared(rows)
        if request.GET.get("export") == "csv":
            return self.file("versions", state, _file_of(rows, compared))
        context = {
            "prompt": found,
            "versions": [self._head(found, row, state) for row in rows],
            "compared": compared,
            "scores": [row.efficiency for row in rows],
            "parts": _parts([row.efficiency for row in rows]),
            "formula": FORMULA,
            "most": MOST,
            "csv": f"?{state.query(export='csv')}",
            "index": self.address("analytics:versions-of"),
            "prompt_fields": state.fields("prompt", "group_by"),
            "prompts": [(each.value, each.name) for each in self._prompts(state, found)],
        }
        return self.page("analytics/versions.html", state, context)

    def _head(self, prompt: Prompt, row: VersionFigures, state: State) -> dict[str, Any]:
        version = ids.encode(PromptVersion.PREFIX, row.version_id)
        query = state.query(prompt=[prompt.public_id], version=[version])
        return {
            "row": row,
            "href": self.address("prompts:version", prompt.public_id, str(row.number)),
            "figures": f"{self.address('analytics:overview')}?{query}",
        }

    def _prompts(self, state: State, shown: Prompt) -> list[queries.Group]:
        rows = queries.breakdown(state.asked(self.project), "prompt", ["requests"], most=50)
        groups = [row.group for row in rows if row.group.kind == "value"]
        if shown.public_id not in {group.value for group in groups}:
            groups.insert(0, queries.Group("value", shown.public_id, shown.name))
        return groups


def _compared(rows: tuple[VersionFigures, ...]) -> list[Compared]:
    return [
        Compared(name, [(words(metric, row.figures), row.number in best) for row in rows])
        for metric, name in _METRICS
        for best in [_best(metric, rows)]
    ]


def _best(metric: str, rows: tuple[VersionFigures, ...]) -> set[int]:
    """The versions with the best value as it reads, where at least two are known and not all are the same."""
    choose = _BEST.get(metric)
    known = {row.number: float(value) for row in rows if (value := row.figures[metric]) is not None}
    shown = {row.number: words(metric, row.figures) for row in rows if row.number in known}
    if choose is None or len(set(shown.values())) < 2:
        return set()
    best = choose(known, key=lambda number: known[number])
    return {number for number, text in shown.items() if text == shown[best]}


def _parts(scores: list[Efficiency]) -> list[Compared]:
    """What each score is made of: a row a part, with why it is missing."""
    if not scores:
        return []
    return [
        Compared(
            f"{part.words}, weight {part.weight}",
            [_part_words(score, index) for score in scores],
        )
        for index, part in enumerate(scores[0].parts)
    ]


def _part_words(score: Efficiency, index: int) -> tuple[str, bool]:
    part = score.parts[index]
    return (part.missing, False) if part.value is None else (format_percent(part.value), True)


def score_words(score: Efficiency) -> str:
    """ "87", or why there is no score."""
    return f"{score.value:.0f}" if score.value is not None else "too few calls"


def _file_of(rows: tuple[VersionFigures, ...], compared: list[Compared]) -> Figures:
    heads = [f"v{row.number}" for row in rows]
    scores = [Cell(score_words(row.efficiency), score_words(row.efficiency)) for row in rows]
    counts = [Cell(format_number(row.efficiency.n), str(row.efficiency.n)) for row in rows]
    lines = [
        Row("Efficiency score", "Efficiency score", scores),
        Row("Calls that the score is of", "Calls that the score is of", counts),
        *(Row(each.name, each.name, [Cell(text, text) for text, _ in each.cells]) for each in compared),
    ]
    return Figures("Measure", heads, heads, lines)
