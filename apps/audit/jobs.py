"""Periodic work of the trail, called by cron every second."""

from apps.audit import sealing


def seal() -> int:
    """Seal the events that have committed; returns how many."""
    return sealing.seal_all()
