"""Queue and cron entry points."""

from typing import Final
from uuid import UUID

from apps.analytics.counting.history import is_history_counted
from apps.retention import services
from apps.retention.erasure import bell
from apps.retention.exports import bell as export_bell

# A turn is short, so that a cron process that is asked to stop need not wait; the next one goes on.
TURN_SECONDS: Final = 8.0
# Below the time that the queue gives a job.
ERASING_SECONDS: Final = 60.0
EXPORTING_SECONDS: Final = 60.0


def purge() -> int:
    """Every ten seconds, in the cron process: begin tonight's purges, and carry on with those begun."""
    # Whoever comes from a release without roll-ups has runs that only their facts can still be counted from.
    if not is_history_counted():
        return 0
    services.begin_nights()
    return services.work(TURN_SECONDS)


def erase(request_id: str) -> None:
    """Work on an erasure that was rung for; rings for itself again while there is more to do."""
    bell.answer(UUID(request_id), ERASING_SECONDS)


def sweep_erasures() -> int:
    """Every thirty seconds, in the cron process: ring for erasures that are due and that nobody works on."""
    return bell.ring_due()


def export(export_id: str) -> None:
    """Work on an archive that was rung for; rings for itself again while there is more to do."""
    export_bell.answer(UUID(export_id), EXPORTING_SECONDS)


def sweep_exports() -> int:
    """Every thirty seconds, in the cron process: ring for archives that wait, end those that are over."""
    return export_bell.sweep()
