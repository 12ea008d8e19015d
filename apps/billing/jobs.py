"""Periodic work of billing; cron runs it every few seconds."""

from apps.billing import services


def sweep() -> None:
    """Close expired allowance leases."""
    services.sweep_leases()
