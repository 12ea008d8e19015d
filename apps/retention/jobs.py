"""Queue and cron entry points."""

from typing import Final

from apps.retention import services

# A turn is short, so that a cron process that is asked to stop need not wait; the next one goes on.
TURN_SECONDS: Final = 8.0


def purge() -> int:
    """Every ten seconds, in the cron process: begin tonight's purges, and carry on with those begun."""
    services.begin_nights()
    return services.work(TURN_SECONDS)
