"""What a rule says next: value, sample, what it said before and the clock in, the next state out. Pure.

Live evaluation and "would have fired" walk the same function. What gets worse holds at once. What gets
better, or falls silent, holds after it has been so for `CALM`, so that a value around its limit does not
fire again and again. Unknown is its own state and is never taken for 0 or for OK.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from apps.analytics.alerts.models import AlertState, Comparison, EventReason

CALM: Final = timedelta(minutes=15)

_SEVERITY: Final = {AlertState.NO_DATA: 0, AlertState.OK: 0, AlertState.WARN: 1, AlertState.ALERT: 2}


@dataclass(frozen=True, slots=True)
class Observation:
    """What was measured up to a moment. None is unknown; `sample` is how many calls it is about.

    `fresh` says that something new happened within a state that lasts: a further incident opened.
    """

    at: datetime
    value: Decimal | None
    sample: int
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """When a value is too much. Without `warn_value` there is no warning before the alert."""

    comparison: str
    value: Decimal
    warn_value: Decimal | None = None
    minimum_sample: int = 1
    remind_every: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a rule says, since when, and who was told.

    `notified_at` is None as long as nobody was told of the present alert.
    """

    state: AlertState
    since: datetime
    calm_since: datetime | None = None
    notified_at: datetime | None = None
    acknowledged: bool = False
    muted_until: datetime | None = None

    @property
    def firing(self) -> bool:
        """Whether there is something to tell."""
        return _SEVERITY[self.state] > 0

    def muted(self, at: datetime) -> bool:
        """Whether nobody is to be told at this moment."""
        return self.muted_until is not None and at < self.muted_until


@dataclass(frozen=True, slots=True)
class Step:
    """One evaluation's outcome: the next standing, what to write into the history, whether to tell."""

    standing: Standing
    reason: EventReason | None = None
    notify: bool = False


def judge(limits: Limits, seen: Observation) -> AlertState:
    """What an observation by itself would say."""
    if seen.value is None or seen.sample < limits.minimum_sample:
        return AlertState.NO_DATA
    if _beyond(limits.comparison, seen.value, limits.value):
        return AlertState.ALERT
    if limits.warn_value is not None and _beyond(limits.comparison, seen.value, limits.warn_value):
        return AlertState.WARN
    return AlertState.OK


def advance(standing: Standing, limits: Limits, seen: Observation) -> Step:
    """The next step of a rule."""
    verdict = judge(limits, seen)
    if _worse(verdict, standing.state) or _known_again(verdict, standing.state):
        return _changed(standing, verdict, seen.at)
    if verdict == standing.state:
        return _same(replace(standing, calm_since=None), limits, seen)
    calm_since = standing.calm_since or seen.at
    if seen.at - calm_since >= CALM:
        return _changed(standing, verdict, seen.at)
    return _same(replace(standing, calm_since=calm_since), limits, seen)


@dataclass(frozen=True, slots=True)
class Replay:
    """What a rule would have done over a stretch of its history."""

    alerts: int = 0
    warnings: int = 0
    mails: int = 0
    moments: tuple[datetime, ...] = ()
    known: int = 0
    steps: int = 0


def replay(limits: Limits, observations: Sequence[Observation]) -> Replay:
    """Walk a new rule over observations in the order of time. `moments` are when it would have alerted."""
    if not observations:
        return Replay()
    standing = Standing(AlertState.NO_DATA, observations[0].at)
    warnings = mails = known = 0
    moments: list[datetime] = []
    for seen in observations:
        before = standing.state
        step = advance(standing, limits, seen)
        standing = step.standing
        if step.notify:
            mails += 1
            standing = replace(standing, notified_at=seen.at if standing.firing else None)
        if standing.state != before and _worse(standing.state, before):
            if standing.state == AlertState.ALERT:
                moments.append(seen.at)
            else:
                warnings += 1
        known += judge(limits, seen) != AlertState.NO_DATA
    return Replay(len(moments), warnings, mails, tuple(moments), known, len(observations))


def crossed_levels(levels: Sequence[int], used: int, cap: int | None, past: Sequence[int]) -> tuple[int, ...]:
    """The levels of a quota, in percent, that are reached and were not before in this period; rising."""
    if not cap:
        return ()
    return tuple(level for level in sorted(levels) if used * 100 >= level * cap and level not in past)


def quota_state(levels: Sequence[int], used: int, cap: int | None) -> AlertState:
    """ALERT at the full quota, WARN at a level below; without a quota there is nothing to say."""
    if not cap:
        return AlertState.NO_DATA
    reached = [level for level in levels if used * 100 >= level * cap]
    if not reached:
        return AlertState.OK
    return AlertState.ALERT if max(reached) >= 100 else AlertState.WARN


def _beyond(comparison: str, value: Decimal, limit: Decimal) -> bool:
    return value < limit if comparison == Comparison.BELOW else value > limit


def _worse(verdict: AlertState, state: AlertState) -> bool:
    return _SEVERITY[verdict] > _SEVERITY[state]


def _known_again(verdict: AlertState, state: AlertState) -> bool:
    return state == AlertState.NO_DATA and verdict == AlertState.OK


def _changed(standing: Standing, verdict: AlertState, at: datetime) -> Step:
    """Rising is told. The end of an alert is told to whom its beginning was; less of one is no news."""
    worse = _worse(verdict, standing.state)
    still_firing = _SEVERITY[verdict] > 0
    told = standing.notified_at is not None
    notify = (worse or (told and not still_firing)) and not standing.muted(at)
    kept = standing.notified_at if still_firing and not worse else None
    following = Standing(verdict, at, notified_at=kept, muted_until=standing.muted_until)
    return Step(following, EventReason.CHANGED, notify)


def _same(standing: Standing, limits: Limits, seen: Observation) -> Step:
    """A state that lasts is told once it wasn't yet (as the rule was muted), and again every so often."""
    if not standing.firing or standing.muted(seen.at):
        return Step(standing)
    if seen.fresh:
        return Step(replace(standing, acknowledged=False), EventReason.CHANGED, notify=True)
    if standing.acknowledged:
        return Step(standing)
    if standing.notified_at is None:
        return Step(standing, EventReason.REMINDER, notify=True)
    due = limits.remind_every is not None and seen.at - standing.notified_at >= limits.remind_every
    return Step(standing, EventReason.REMINDER, notify=True) if due else Step(standing)
