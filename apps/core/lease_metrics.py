"""Leases that had to be taken back because whoever held them was gone."""

from typing import Final

from apps.core.metrics import counter

LEASE_RECLAIMS: Final = counter(
    "promptsaas_lease_reclaims",
    "Leases taken back after their holder was gone.",
    ("kind",),
)
