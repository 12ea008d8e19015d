"""Months of UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from apps.billing import plans


@pytest.mark.parametrize(
    ("moment", "start", "end"),
    [
        (
            datetime(2026, 11, 21, 6, tzinfo=UTC),
            datetime(2026, 11, 1, tzinfo=UTC),
            datetime(2026, 12, 1, tzinfo=UTC),
        ),
        (
            datetime(2026, 12, 31, 23, 59, 59, 999_999, UTC),
            datetime(2026, 12, 1, tzinfo=UTC),
            datetime(2027, 1, 1, tzinfo=UTC),
        ),
        (
            datetime(2028, 2, 29, tzinfo=UTC),
            datetime(2028, 2, 1, tzinfo=UTC),
            datetime(2028, 3, 1, tzinfo=UTC),
        ),
        (
            datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))),
            datetime(2026, 11, 1, tzinfo=UTC),
            datetime(2026, 12, 1, tzinfo=UTC),
        ),
    ],
)
def test_period__moment__is_the_month_of_utc(moment: datetime, start: datetime, end: datetime) -> None:
    assert (plans.period_start(moment), plans.period_end(moment)) == (start, end)


def test_meter_of__sandbox__is_apart() -> None:
    assert (plans.meter_of(sandbox=True), plans.meter_of(sandbox=False)) == ("sandbox_runs", "runs")
