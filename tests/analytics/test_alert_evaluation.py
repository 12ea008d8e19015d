"""What a rule says next: the state machine by table, without a database."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.analytics.alerts.evaluation import (
    Limits,
    Observation,
    Standing,
    advance,
    crossed_levels,
    judge,
    quota_state,
    replay,
)
from apps.analytics.alerts.models import AlertState, Comparison, EventReason
from apps.analytics.alerts.windows import sliding_sums
from apps.analytics.metrics import NOTHING, Sums, total

START = datetime(2026, 11, 2, 12, tzinfo=UTC)
STEP = timedelta(minutes=5)
OK, WARN, ALERT, NO_DATA = AlertState.OK, AlertState.WARN, AlertState.ALERT, AlertState.NO_DATA
LIMITS = Limits(Comparison.ABOVE, Decimal("0.1"), Decimal("0.05"), minimum_sample=10)


def seen(value: str | None, sample: int = 50, step: int = 0, **more: Any) -> Observation:
    return Observation(START + STEP * step, None if value is None else Decimal(value), sample, **more)


def walk(*values: str | None, limits: Limits = LIMITS, standing: Standing | None = None) -> list[Any]:
    """State and whether it was told, after each of the values five minutes apart."""
    standing = standing or Standing(OK, START - STEP)
    told: list[Any] = []
    for number, value in enumerate(values):
        step = advance(standing, limits, seen(value, step=number))
        standing = step.standing
        if step.notify:
            moment = START + STEP * number if standing.firing else None
            standing = Standing(
                standing.state,
                standing.since,
                standing.calm_since,
                moment,
                standing.acknowledged,
                standing.muted_until,
            )
        told.append((standing.state.value, step.notify))
    return told


@pytest.mark.parametrize(
    ("limits", "observation", "verdict"),
    [
        (LIMITS, seen("0.11"), ALERT),
        (LIMITS, seen("0.1"), WARN),
        (LIMITS, seen("0.06"), WARN),
        (LIMITS, seen("0.05"), OK),
        (LIMITS, seen("0"), OK),
        (LIMITS, seen("0.9", sample=9), NO_DATA),
        (LIMITS, seen("0.9", sample=10), ALERT),
        (LIMITS, seen(None), NO_DATA),
        (LIMITS, seen(None, sample=0), NO_DATA),
        (Limits(Comparison.BELOW, Decimal(3), Decimal(4)), seen("2.9"), ALERT),
        (Limits(Comparison.BELOW, Decimal(3), Decimal(4)), seen("3"), WARN),
        (Limits(Comparison.BELOW, Decimal(3), Decimal(4)), seen("4"), OK),
        (Limits(Comparison.BELOW, Decimal(1), minimum_sample=0), seen("0", sample=0), ALERT),
    ],
)
def test_judge__value_and_sample__say_a_state(
    limits: Limits, observation: Observation, verdict: AlertState
) -> None:
    assert judge(limits, observation) == verdict


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # What gets worse holds at once, and is told once.
        (("0.2", "0.3"), [("alert", True), ("alert", False)]),
        (("0.06", "0.2"), [("warn", True), ("alert", True)]),
        # What gets better holds after a quarter of an hour, and its end is told.
        (
            ("0.2", "0", "0", "0", "0"),
            [("alert", True), ("alert", False), ("alert", False), ("alert", False), ("ok", True)],
        ),
        # Around the limit it fires once.
        (
            ("0.2", "0", "0.2", "0", "0", "0.2"),
            [("alert", True), *[("alert", False)] * 5],
        ),
        # Less bad is no news; fine after it is.
        (
            ("0.2", "0.06", "0.06", "0.06", "0.06", "0", "0", "0", "0"),
            [("alert", True), *[("alert", False)] * 3, *[("warn", False)] * 4, ("ok", True)],
        ),
        # Silence is not fine: the alert ends in no data, and is said to.
        (("0.2", None, None, None, None), [("alert", True), *[("alert", False)] * 3, ("no_data", True)]),
        ((None, None, None, None, "0"), [*[("ok", False)] * 3, ("no_data", False), ("ok", False)]),
    ],
)
def test_advance__values_five_minutes_apart__give_states_and_mails(
    values: tuple[str | None, ...], expected: list[Any]
) -> None:
    assert walk(*values) == expected


def test_advance__reminder__comes_every_so_often_until_acknowledged() -> None:
    limits = Limits(Comparison.ABOVE, Decimal("0.1"), remind_every=timedelta(minutes=10))
    assert [told for _, told in walk(*["0.2"] * 6, limits=limits)] == [True, False, True, False, True, False]
    known = Standing(ALERT, START, notified_at=START - timedelta(hours=5), acknowledged=True)
    assert advance(known, limits, seen("0.2")).reason is None
    # The state changes: the acknowledgement was of another one.
    worse = Standing(WARN, START, notified_at=START, acknowledged=True)
    step = advance(worse, LIMITS, seen("0.5"))
    assert step.notify
    assert not step.standing.acknowledged


def test_advance__muted__goes_on_silently_and_tells_afterwards_what_still_holds() -> None:
    muted = Standing(OK, START, muted_until=START + timedelta(minutes=10))
    assert walk("0.2", "0.2", "0.2", "0.2", standing=muted) == [
        ("alert", False),
        ("alert", False),
        ("alert", True),
        ("alert", False),
    ]
    # An alert that nobody was told of ends without a word.
    long = Standing(OK, START, muted_until=START + timedelta(days=1))
    assert walk("0.2", "0", "0", "0", "0", standing=long)[-1] == ("ok", False)


def test_advance__something_new_while_it_lasts__is_told() -> None:
    standing = Standing(ALERT, START, notified_at=START, acknowledged=True)
    step = advance(standing, Limits(Comparison.ABOVE, Decimal(0), minimum_sample=0), seen("2", fresh=True))
    assert (step.notify, step.reason, step.standing.acknowledged) == (True, EventReason.CHANGED, False)


def test_replay__a_week__counts_alerts_warnings_and_mails() -> None:
    values = ["0", "0.2", "0", "0", "0", "0", "0.06", "0.2", None]
    found = replay(LIMITS, [seen(value, step=number) for number, value in enumerate(values)])
    assert (found.alerts, found.warnings, found.mails) == (2, 1, 4)
    assert found.moments == (START + STEP, START + STEP * 7)
    assert (found.known, found.steps) == (8, 9)
    assert replay(LIMITS, []).alerts == 0


@pytest.mark.parametrize(
    ("used", "past", "crossed", "state"),
    [
        (49, (), (), OK),
        (50, (), (50,), WARN),
        (85, (), (50, 80), WARN),
        (85, (50,), (80,), WARN),
        (85, (50, 80), (), WARN),
        (100, (50, 80), (100,), ALERT),
        (130, (50, 80, 100), (), ALERT),
    ],
)
def test_quota__levels__are_each_crossed_once(
    used: int, past: tuple[int, ...], crossed: tuple[int, ...], state: AlertState
) -> None:
    assert crossed_levels((100, 50, 80), used, 100, past) == crossed
    assert quota_state((50, 80, 100), used, 100) == state


def test_quota__none__is_no_data() -> None:
    assert crossed_levels((50,), 10, None, ()) == ()
    assert quota_state((50,), 10, None) == NO_DATA


@pytest.mark.parametrize("minutes", [5, 15, 60])
def test_sliding_sums__every_window__adds_up_as_one_by_one(minutes: int) -> None:
    window = timedelta(minutes=minutes)
    points = {
        START + STEP * number: Sums(requests=number, latency={number % 7: number})
        for number in range(60)
        if number % 5
    }
    ends = [START + STEP * number for number in range(-3, 75)]
    expected = [
        total([NOTHING, *[sums for at, sums in points.items() if end - window <= at < end]]) for end in ends
    ]
    assert sliding_sums(points, ends, window) == expected
