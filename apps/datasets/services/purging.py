"""What a deleted dataset leaves behind goes in small transactions, across organizations."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.utils import timezone

from apps.core.models import FileChunk, StoredFile
from apps.core.scope import system_scope
from apps.datasets.models import (
    Dataset,
    DatasetChange,
    DatasetDraft,
    DatasetImport,
    DatasetRow,
    DatasetVersion,
    Origin,
)

ROWS_PURGED_AT_ONCE: Final = 20_000
DATASETS_PURGED_AT_ONCE: Final = 20
STAGED: Final = timedelta(days=2)
"""Far longer than an import takes: what lies there since then, no import knows any more."""


def purge_deleted() -> int:
    """Remove what deleted datasets still hold, in small transactions; returns how many datasets went."""
    with system_scope():
        left = Dataset.all_organizations.filter(
            origin=Origin.IMPORT, deleted_at__isnull=True, created_at__lt=timezone.now() - STAGED
        )
        left.update(deleted_at=timezone.now())
        waiting = Dataset.all_organizations.filter(deleted_at__isnull=False).order_by("deleted_at")
        found = list(waiting.values_list("pk", flat=True)[:DATASETS_PURGED_AT_ONCE])
    for dataset_id in found:
        while _purge_some_rows(dataset_id):
            pass
        _purge_rest(dataset_id)
    return len(found)


def _purge_some_rows(dataset_id: UUID) -> bool:
    with system_scope():
        versions = DatasetVersion.all_organizations.filter(dataset_id=dataset_id)
        rows = DatasetRow.all_organizations.filter(
            dataset_version_id__in=list(versions.values_list("pk", flat=True))
        )
        some = list(rows.values_list("pk", flat=True)[:ROWS_PURGED_AT_ONCE])
        DatasetRow.all_organizations.filter(pk__in=some).delete()
    return len(some) == ROWS_PURGED_AT_ONCE


def _purge_rest(dataset_id: UUID) -> None:
    with system_scope():
        versions = DatasetVersion.all_organizations.filter(dataset_id=dataset_id)
        file_ids = {
            file_id
            for pair in versions.values_list("file_id", "problems_file_id")
            for file_id in pair
            if file_id is not None
        }
        DatasetChange.all_organizations.filter(draft__dataset_id=dataset_id).delete()
        DatasetDraft.all_organizations.filter(dataset_id=dataset_id).delete()
        DatasetImport.all_organizations.filter(version__dataset_id=dataset_id).delete()
        FileChunk.all_organizations.filter(file_id__in=file_ids).delete()
        StoredFile.all_organizations.filter(pk__in=file_ids).delete()
        DatasetRow.all_organizations.filter(dataset_version__dataset_id=dataset_id).delete()
        versions.delete()
        Dataset.all_organizations.filter(pk=dataset_id).delete()
