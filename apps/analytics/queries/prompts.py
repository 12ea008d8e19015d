"""Small figures that other pages show beside prompts, labels and on Home. Inside the organization's scope."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from apps.analytics import metrics, periods
from apps.analytics.dimensions import Filters
from apps.analytics.metrics import Sums
from apps.analytics.models import Grain, Rollup, Segment
from apps.analytics.periods import Part, Period
from apps.analytics.queries.shapes import Figures
from apps.analytics.queries.statements import Asked, add_up, add_up_by_key

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Today:
    """Today's figures beside yesterday's, in UTC days; `yesterday_so_far` ends at the same time of day."""

    today: Figures
    yesterday_so_far: Figures
    yesterday: Figures


def week_of_prompts(project_id: UUID, prompt_ids: Sequence[UUID], now: datetime) -> dict[UUID, Figures]:
    """Each prompt's figures of the last 7 × 24 hours, the one that runs included, without latency.

    One statement. Prompts that nobody called have figures too: no requests, and nothing known of the rest.
    """
    period = periods.preset("7d", now)
    return _by_id(Asked(project_id, period, Filters(prompts=tuple(prompt_ids))), "prompt", prompt_ids)


def versions_of_prompt(project_id: UUID, prompt_id: UUID, period: Period) -> dict[UUID, Figures]:
    """The figures, without latency, of each version of a prompt that was called; one statement."""
    return _by_id(Asked(project_id, period, Filters(prompts=(prompt_id,))), "version", ())


def label_calls(project_id: UUID, prompt_id: UUID, now: datetime, hours: int = 24) -> dict[str, Figures]:
    """The figures, without latency, of each label of a prompt that was called in the last hours.

    Calls that named a version, and no label, are under "". One statement.
    """
    end = periods.ceiling(now.astimezone(UTC), Grain.HOUR)
    period = periods.between(end - timedelta(hours=hours), end, now, Grain.HOUR)
    asked = Asked(project_id, period, Filters(prompts=(prompt_id,)))
    found = add_up_by_key(asked, period.parts(), ("label",))
    return {key[0]: Figures(sums) for (key, _), sums in found.items()}


def sparklines(
    project_id: UUID, prompt_ids: Sequence[UUID], now: datetime, days: int = 14
) -> dict[UUID, tuple[int, ...]]:
    """Each prompt's requests by UTC day, the oldest first and today last; one statement."""
    today = periods.floor(now.astimezone(UTC), Grain.DAY)
    period = periods.between(today - (days - 1) * DAY, today + DAY, now, Grain.DAY)
    asked = Asked(project_id, period, Filters(prompts=tuple(prompt_ids)))
    parts = (Part(Grain.DAY, period.start, period.end),)
    found = add_up_by_key(asked, parts, ("prompt",), by_moment=True) if prompt_ids else {}
    counts = {(key[0], moment): sums.requests for (key, moment), sums in found.items()}
    return {
        prompt_id: tuple(counts.get((str(prompt_id), moment), 0) for moment in period.moments)
        for prompt_id in prompt_ids
    }


def today(project_id: UUID, now: datetime) -> Today:
    """Today against yesterday, in UTC days, without latency; two statements."""
    midnight = periods.floor(now.astimezone(UTC), Grain.DAY)
    period = periods.between(midnight - DAY, midnight + DAY, now, Grain.HOUR)
    asked = Asked(project_id, period)
    hours = add_up(asked, (Part(Grain.HOUR, period.start, period.end),), by_moment=True)
    found = {moment: sums for (_, moment), sums in hours.items() if moment is not None}
    cut = periods.ceiling(now.astimezone(UTC), Grain.FIVE_MINUTES) - DAY
    hour = periods.floor(cut, Grain.HOUR)
    begun = add_up(asked, (Part(Grain.FIVE_MINUTES, hour, cut),))
    return Today(
        _figures([sums for moment, sums in found.items() if moment >= midnight]),
        _figures([*(sums for moment, sums in found.items() if moment < hour), *begun.values()]),
        _figures([sums for moment, sums in found.items() if moment < midnight]),
    )


def last_data(project_id: UUID, *, sandbox: bool = False) -> datetime | None:
    """The start of the newest UTC day with runs; None where nothing ever ran."""
    rows = Rollup.objects.filter(
        grain=Grain.DAY, segment__project_id=project_id, segment__sandbox=sandbox, requests__gt=0
    )
    return rows.order_by("-starts_at").values_list("starts_at", flat=True).first()


def has_only_sandbox(project_id: UUID) -> bool:
    """Whether the sandbox is all that ever ran in the project."""
    kinds = set(Segment.objects.filter(project_id=project_id).values_list("sandbox", flat=True).distinct())
    return kinds == {True}


def _figures(parts: Sequence[Sums]) -> Figures:
    return Figures(metrics.total(parts))


def _by_id(asked: Asked, dimension: str, wanted: Sequence[UUID]) -> dict[UUID, Figures]:
    found = add_up_by_key(asked, asked.period.parts(), (dimension,))
    figures = {UUID(key[0]): Figures(sums) for (key, _), sums in found.items() if key[0]}
    return {**dict.fromkeys(wanted, Figures()), **figures} if wanted else figures
