"""Cron entry points."""

from apps.analytics.incidents.watching import look as look_at_versions


def look() -> int:
    """Every minute, in the cron process: look at versions once five more minutes are over."""
    return look_at_versions()
