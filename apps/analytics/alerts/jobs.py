"""Cron entry points."""

from apps.analytics.alerts.watching import look_at_due_rules


def watch() -> int:
    """Every minute, in the cron process: look at the alert rules that are due."""
    return look_at_due_rules()
