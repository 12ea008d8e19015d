"""What every page of analytics has: its state in the address, its tabs, its bar of filters."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from django.http import HttpResponse
from django.utils import timezone

from apps.analytics.dimensions import DIMENSIONS, NONE
from apps.analytics.freshness import rolled_up_until
from apps.analytics.periods import INTERVALS
from apps.analytics.queries.choices import CHOICES, filter_choices
from apps.analytics.queries.names import groups_of
from apps.analytics.web.clock import short_day
from apps.analytics.web.figures import in_sentence
from apps.analytics.web.state import GROUPS, RANGES, UNGROUPED, State, read_state
from apps.analytics.web.tabs import analytics_tabs
from apps.core.charts import Figures
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

_INTERVAL_WORDS: Final = {"5m": "Per 5 minutes", "hour": "Per hour", "day": "Per day"}
# What is asked next where a range takes too long.
_SHORTER: Final = {"90d": "30d", "30d": "7d", "7d": "24h", "": "24h"}


class AnalyticsView(ProjectView, abstract=True):
    """A page whose figures are those of a range."""

    permissions: ClassVar[dict[str, str]] = {"GET": Permission.RUNS_VIEW}
    current: ClassVar[str] = ""
    # Whether the page stands beside the period before, and whether it offers what to narrow to.
    compares: ClassVar[bool] = True
    offers_filters: ClassVar[bool] = True

    def read_state(self, now: datetime) -> State:
        """What the address asks for. Raises InvalidRequest."""
        return read_state(self.project, self.request.GET, now)

    def page(self, template: str, state: State, context: dict[str, Any]) -> HttpResponse:
        """A whole page with tabs, range and filters."""
        frame = {
            "state": state,
            "tabs": analytics_tabs(self, self.current, state.query()),
            "ranges": self._ranges(state),
            "range_words": _range_words(state),
            "compares": self.compares,
            "compare_href": f"?{state.query(compare='off' if state.compare else '')}",
            "sandbox_href": f"?{state.query(sandbox='' if state.sandbox else '1')}",
            "chips": list(self._chips(state)),
            "range_fields": state.fields("range", "from", "to", "interval"),
            "split_fields": state.fields("group_by", "interval"),
            "filter_fields": state.fields(*CHOICES),
            "choices": self._choices(state) if self.offers_filters else [],
            "group_options": [(key, f"Group by {in_sentence(DIMENSIONS[key].words)}") for key in GROUPS]
            + [(UNGROUPED, "All together")],
            "interval_options": _intervals(state),
            "facts": _facts(state),
            "shorter": self.shorter(state),
        }
        return self.render(template, frame | context)

    def shorter(self, state: State) -> dict[str, str] | None:
        """The next shorter range, for a panel that took too long."""
        name = _SHORTER.get(state.range)
        return (
            {"href": f"?{state.with_range(name)}", "words": f"Show {RANGES[name].lower()}"} if name else None
        )

    def file(self, name: str, state: State, figures: Figures) -> HttpResponse:
        """Figures as a CSV file named after project, panel and range."""
        first, last = state.period.start, state.period.end
        file_name = f"{self.project.slug}-{name}-{first:%Y%m%dT%H%M}-{last:%Y%m%dT%H%M}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{file_name}"'}
        return HttpResponse(figures.csv(), content_type="text/csv; charset=utf-8", headers=headers)

    def _ranges(self, state: State) -> list[dict[str, Any]]:
        return [
            {"label": words, "href": f"?{state.with_range(name)}", "current": name == state.range}
            for name, words in RANGES.items()
        ]

    def _chips(self, state: State) -> Iterator[dict[str, str]]:
        for key, values in state.chosen.items():
            names = _names(key, state)
            for value in values:
                rest = [each for each in values if each != value]
                yield {
                    "title": DIMENSIONS[key].words,
                    "value": names.get(value, value),
                    "href": f"?{state.query(**{key: rest})}",
                }

    def _choices(self, state: State) -> list[dict[str, Any]]:
        found = filter_choices(self.project, sandbox=state.sandbox)
        return [
            {
                "name": key,
                "label": DIMENSIONS[key].words,
                "options": [("", "Any"), *((group.value, group.name) for group in groups)],
                "current": next(iter(state.chosen.get(key, ())), ""),
            }
            for key, groups in found.items()
            if len(groups) > 1 or state.chosen.get(key)
        ]


def _names(dimension: str, state: State) -> dict[str, str]:
    """What chosen values are called; those that are names already stand for themselves."""
    kinds = {"prompt": state.filters.prompts, "version": state.filters.versions, "key": state.filters.keys}
    chosen = state.chosen[dimension]
    if dimension not in kinds:
        groups = groups_of(dimension, ["" if value == NONE else value for value in chosen])
        return {value: groups["" if value == NONE else value].name for value in chosen}
    keys = ["" if each is None else str(each) for each in kinds[dimension]]
    groups = groups_of(dimension, keys)
    return {value: groups[key].name for value, key in zip(dict.fromkeys(chosen), keys, strict=True)}


def _range_words(state: State) -> str:
    if state.range:
        return RANGES[state.range]
    start, end = state.period.start, state.period.end
    if state.period.length.days >= 1:
        last = end - timedelta(days=1)
        return f"{short_day(start)} to {short_day(last)} {last.year}"
    local = timezone.localtime(start)
    return f"{short_day(local)}, {local:%H:%M} to {timezone.localtime(end):%H:%M}"


def _intervals(state: State) -> list[tuple[str, str]]:
    """What a chart may be cut into; the usual one is named by what it is."""
    usual = next(key for key, grain in INTERVALS.items() if grain == state.period.interval)
    words = _INTERVAL_WORDS[usual] if not state.interval else "Usual interval"
    return [
        ("", words),
        *((key, each) for key, each in _INTERVAL_WORDS.items() if state.interval or key != usual),
    ]


def _facts(state: State) -> str:
    until = timezone.localtime(min(rolled_up_until(), timezone.now()))
    zone = (
        "days in UTC"
        if state.period.interval.value >= INTERVALS["day"].value
        else timezone.get_current_timezone_name()
    )
    runs = "sandbox runs only" if state.sandbox else "sandbox runs left out"
    return f"{zone} · counted until {until:%H:%M:%S} · {runs}"
