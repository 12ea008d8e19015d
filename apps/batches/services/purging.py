"""Rows that were taken for a batch which was never started."""

from datetime import timedelta
from typing import Final

from django.db.models import Exists, OuterRef
from django.utils import timezone

from apps.batches.models import BatchJob
from apps.core.scope import system_scope
from apps.datasets.models import Dataset, Origin

KEPT: Final = timedelta(days=7)
LOOKED_AT: Final = timedelta(days=90)
AT_ONCE: Final = 500


def purge_unused_rows() -> int:
    """Give up rows of a week ago that no batch uses, across organizations; returns how many sets.

    The purge of deleted datasets takes them. Those of batches go with what the batches answered.
    """
    now = timezone.now()
    with system_scope():
        used = BatchJob.all_organizations.filter(
            organization_id=OuterRef("organization_id"), dataset_version__dataset_id=OuterRef("pk")
        )
        unused = Dataset.all_organizations.filter(
            ~Exists(used),
            origin=Origin.BATCH,
            deleted_at__isnull=True,
            created_at__lt=now - KEPT,
            created_at__gt=now - LOOKED_AT,
        )
        found = list(unused.order_by("created_at").values_list("pk", flat=True)[:AT_ONCE])
        return Dataset.all_organizations.filter(pk__in=found).update(deleted_at=now)
