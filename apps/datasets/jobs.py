"""Queue and cron entry points."""

from apps.datasets.services import purge_deleted


def purge() -> int:
    """Every ten minutes, in the cron process: remove what deleted datasets still hold."""
    return purge_deleted()
