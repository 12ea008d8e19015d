"""Test keys and live batches."""

from apps.batches.models import BatchJob
from apps.core.errors import PermissionDenied
from apps.tenants.access import Access


def demand_live_key(access: Access, job: BatchJob) -> None:
    """Rows of a live batch call real models, which is no test key's business. Raises PermissionDenied."""
    if job.livemode and not access.livemode:
        raise PermissionDenied(
            "A test key can't run rows of a batch that uses real models.", code="live_key_needed"
        )
