"""What the address of an analytics page asks for; every link of the page is made from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.dateparse import parse_date, parse_datetime

from apps.analytics import periods
from apps.analytics.dimensions import DIMENSIONS, Filters
from apps.analytics.periods import Period
from apps.analytics.queries import Asked
from apps.analytics.queries.filters import read_filters
from apps.core.errors import InvalidRequest
from apps.tenants.models import Project

USUAL_RANGE: Final = "24h"
USUAL_GROUP: Final = "prompt"
UNGROUPED: Final = "none"
RANGES: Final = {
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "90d": "Last 90 days",
}
# Errors have a chart of their own by class; nothing else can be split by it.
GROUPS: Final = tuple(key for key, each in DIMENSIONS.items() if not each.of_errors)


@dataclass(frozen=True)
class State:
    """A range, how it is split and narrowed, whether the period before stands beside it, and whose runs.

    `range` is one of RANGES, or "" with `start` and `end` as they were written.
    """

    period: Period
    filters: Filters
    range: str
    start: str
    end: str
    interval: str
    group: str
    compare: bool
    sandbox: bool
    chosen: Mapping[str, Sequence[str]]

    @property
    def group_by(self) -> str | None:
        """The dimension to split by, or None."""
        return None if self.group == UNGROUPED else self.group

    def asked(self, project: Project) -> Asked:
        """What the queries take."""
        return Asked(project.id, self.period, self.filters, self.sandbox)

    def query(self, **changes: Any) -> str:
        """The query string of this state with other values; those that are usual are left out."""
        values: dict[str, Any] = {
            "range": self.range if self.range != USUAL_RANGE else "",
            "from": self.start,
            "to": self.end,
            "interval": self.interval,
            "group_by": self.group if self.group != USUAL_GROUP else "",
            "compare": "" if self.compare else "off",
            "sandbox": "1" if self.sandbox else "",
            **self.chosen,
        } | changes
        return urlencode({key: value for key, value in values.items() if value}, doseq=True)

    def with_range(self, name: str) -> str:
        """The query string with a range that is named."""
        changes = {"range": "" if name == USUAL_RANGE else name, "from": "", "to": "", "interval": ""}
        return self.query(**changes)

    def fields(self, *without: str) -> list[tuple[str, str]]:
        """The state as hidden fields of a form, without those that the form sets itself."""
        found = QueryDict(self.query())
        return [(key, value) for key, values in found.lists() if key not in without for value in values]

    @property
    def before_words(self) -> str:
        """What the compared period is called: "the 7 days before"."""
        length = self.period.length
        if length < timedelta(days=2):
            hours = round(length / timedelta(hours=1))
            return f"the {hours} hours before" if hours > 1 else "the hour before"
        return f"the {length.days} days before"


def read_state(project: Project, data: QueryDict, now: datetime) -> State:
    """Read an address. Raises InvalidRequest naming the parameter. Inside the organization's scope."""
    interval = data.get("interval", "")
    if interval and interval not in periods.INTERVALS:
        raise InvalidRequest(f"interval is one of {', '.join(periods.INTERVALS)}.", param="interval")
    start, end = data.get("from", "").strip(), data.get("to", "").strip()
    name = "" if start or end else data.get("range") or USUAL_RANGE
    grain = periods.INTERVALS.get(interval)
    period = periods.preset(name, now, grain) if name else _between(start, end, now, grain)
    chosen = {key: [each for each in data.getlist(key) if each] for key in GROUPS}
    return State(
        period=period,
        filters=read_filters(project, chosen),
        range=name,
        start=start,
        end=end,
        interval=interval,
        group=_group(data),
        compare=data.get("compare", "") not in {"off", "0", "false"},
        sandbox=data.get("sandbox", "") in {"1", "true"},
        chosen={key: values for key, values in chosen.items() if values},
    )


def _group(data: QueryDict) -> str:
    group = data.get("group_by") or USUAL_GROUP
    if group not in (*GROUPS, UNGROUPED):
        raise InvalidRequest(f"group_by is one of {', '.join((*GROUPS, UNGROUPED))}.", param="group_by")
    return group


def _between(start: str, end: str, now: datetime, interval: Any) -> Period:
    first = _moment(start, "from")
    last = _moment(end, "to", whole_day=True) if end else now
    return periods.between(first, last, now, interval)


def _moment(text: str, name: str, *, whole_day: bool = False) -> datetime:
    """A day in UTC, from its start or to its end, or an exact time with its zone."""
    try:
        day = parse_date(text) if len(text) == len("2026-11-20") else None
        moment = parse_datetime(text)
        if day is not None:
            return datetime.combine(day, time(), UTC) + timedelta(days=1 if whole_day else 0)
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidRequest(
            f"{name} is a day such as 2026-11-20, or a time with its zone such as 2026-11-20T14:00:00Z.",
            param=name,
        )
    return moment
