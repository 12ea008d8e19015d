"""Periodic work of analytics, called by cron."""

from datetime import UTC, datetime, timedelta

from apps.analytics.counting.history import count_history, is_history_counted
from apps.analytics.counting.keeping import purge_rollups
from apps.analytics.counting.recounting import recount_day
from apps.analytics.counting.waiting import count_waiting
from apps.core.logs import get_logger

logger = get_logger(__name__)


def count() -> int:
    """Count what was written since the last turn, then some of what was there before; returns the runs."""
    counted = count_waiting()
    days = count_history(seconds=5)
    if days:
        logger.info("analytics.history_counted", extra={"days": days})
    return counted


def purge() -> int:
    """Delete the fine roll-ups that are not kept any longer; returns how many."""
    return purge_rollups()


def check() -> int:
    """Count yesterday (UTC) again; returns how many roll-ups say something else, and logs them."""
    if not is_history_counted():
        return 0
    found = recount_day(datetime.now(UTC).date() - timedelta(days=1))
    for difference in found.differences[:10]:
        logger.error("analytics.rollup_differs", extra={"difference": str(difference)})
    if found.different:
        logger.error("analytics.rollups_differ", extra={"day": str(found.day), "rollups": found.different})
    return found.different
