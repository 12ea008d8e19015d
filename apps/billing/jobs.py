"""Periodic work of billing; cron runs it every few seconds."""

from apps.billing import services
from apps.core.lease_metrics import LEASE_RECLAIMS


def sweep() -> None:
    """Close expired allowance leases."""
    LEASE_RECLAIMS.labels("allowance").inc(services.sweep_leases())
