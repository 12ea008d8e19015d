"""Counting the runs from before there were roll-ups: once for an installation, a day a transaction.

Runs that no row waits for are found only by counting a day again, so that is what happens, newest day first.
How far it is stands in the same transaction: a killed turn is taken up where it was.
"""

import time
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

from django.db import connection

from apps.analytics.counting.models import CountedHistory
from apps.analytics.counting.recounting import recount_here
from apps.analytics.counting.waiting import take_lock
from apps.core.ids import first_of
from apps.core.scope import system_scope

_ROW: Final = 1
TURN_SECONDS: Final = 20.0
_NEWEST: Final = "SELECT id FROM runs_run ORDER BY id DESC LIMIT 1"
_NEWEST_BEFORE: Final = "SELECT id FROM runs_run WHERE id < %s ORDER BY id DESC LIMIT 1"


def count_history(*, seconds: float = TURN_SECONDS) -> int:
    """Count the days that are left, for at most about so many seconds; returns how many days.

    Called outside every scope. Nothing is left, or another counter is at work: 0.
    """
    until = time.monotonic() + seconds
    days = 0
    while time.monotonic() < until and _count_next_day():
        days += 1
    return days


def is_history_counted() -> bool:
    """Whether every run from before there were roll-ups is in them."""
    return CountedHistory.objects.filter(pk=_ROW, next_day__isnull=True).exists()


def _count_next_day() -> bool:
    if is_history_counted():
        return False
    with system_scope():
        if not take_lock():
            return False
        progress = CountedHistory.objects.filter(pk=_ROW).first() or _begin()
        day = progress.next_day
        if day is None:
            return False
        recount_here(day, repair=True)
        progress.next_day = _day_of_run(_NEWEST_BEFORE, _first_of(day))
        progress.save(update_fields=["next_day"])
    return True


def _begin() -> CountedHistory:
    return CountedHistory.objects.create(pk=_ROW, next_day=_day_of_run(_NEWEST))


def _day_of_run(query: str, *parameters: UUID) -> date | None:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        row = cursor.fetchone()
    return datetime.fromtimestamp((row[0].int >> 80) / 1000, UTC).date() if row else None


def _first_of(day: date) -> UUID:
    return first_of(datetime(day.year, day.month, day.day, tzinfo=UTC))
