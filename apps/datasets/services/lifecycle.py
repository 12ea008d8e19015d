"""Datasets themselves: create empty, rename, archive, delete."""

from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core.errors import Conflict
from apps.core.ids import uuid7
from apps.datasets.mapping import ColumnMapping
from apps.datasets.models import Dataset, DatasetVersion, VersionKind
from apps.datasets.services.versions import check_mapping, checked_name, finish_version, next_version
from apps.datasets.uses import count_uses
from apps.tenants.models import Project


def create_dataset(
    *, actor: Actor, project: Project, name: str, columns: Sequence[ColumnMapping]
) -> DatasetVersion:
    """An empty dataset: version 1 has columns and no rows. Raises Conflict (`name_taken`), InvalidRequest."""
    check_mapping(columns, [item.column for item in columns])
    try:
        with transaction.atomic():
            dataset = Dataset.objects.create(
                organization_id=project.organization_id, project=project, name=checked_name(name)
            )
    except IntegrityError:
        raise _taken() from None
    version = next_version(actor, dataset, None, VersionKind.ROWS, columns, {"format": "jsonl"}, "")
    return finish_version(actor, version, None)


def rename_dataset(*, actor: Actor, dataset: Dataset, name: str) -> Dataset:
    """Give a dataset another name. Raises Conflict (`name_taken`), InvalidRequest."""
    before, dataset.name = dataset.name, checked_name(name)
    if before == dataset.name:
        return dataset
    try:
        with transaction.atomic():
            dataset.save(update_fields=["name"])
    except IntegrityError:
        raise _taken() from None
    audit.record(
        actor=actor,
        action="dataset.renamed",
        target=dataset,
        organization_id=dataset.organization_id,
        changes={"name": (before, dataset.name)},
        target_name=dataset.name,
    )
    return dataset


def archive_dataset(*, actor: Actor, dataset: Dataset) -> Dataset:
    """Take a dataset out of lists and choices; what uses it goes on. Archiving twice changes nothing."""
    if dataset.archived_at is None:
        dataset.archived_at = timezone.now()
        _record_archiving(actor, dataset, "dataset.archived")
    return dataset


def unarchive_dataset(*, actor: Actor, dataset: Dataset) -> Dataset:
    """Bring an archived dataset back."""
    if dataset.archived_at is not None:
        dataset.archived_at = None
        _record_archiving(actor, dataset, "dataset.unarchived")
    return dataset


def delete_dataset(*, actor: Actor, dataset: Dataset) -> None:
    """Delete a dataset with all its versions. Its rows go soon after, by a job.

    Raises Conflict (`dataset_in_use`) while something was made with it.
    """
    locked = Dataset.objects.select_for_update().get(pk=dataset.pk)
    uses = count_uses([dataset.pk])[dataset.pk]
    if uses:
        noun = "batch uses" if uses == 1 else "batches use"
        raise Conflict(
            f"{uses:,} {noun} this dataset, and their results would lose their rows. Archive it instead.",
            code="dataset_in_use",
            uses=uses,
        )
    name = locked.name
    # The name is free again at once. The row's own id would not do: a dataset may be called by it.
    locked.deleted_at, locked.name = timezone.now(), f"deleted {uuid7()}"
    locked.save(update_fields=["deleted_at", "name"])
    audit.record(
        actor=actor,
        action="dataset.deleted",
        target=locked,
        organization_id=locked.organization_id,
        changes={"name": (name, None)},
        target_name=name,
    )


def _record_archiving(actor: Actor, dataset: Dataset, action: str) -> None:
    dataset.save(update_fields=["archived_at"])
    audit.record(
        actor=actor,
        action=action,
        target=dataset,
        organization_id=dataset.organization_id,
        target_name=dataset.name,
    )


def _taken() -> Conflict:
    return Conflict("The project has a dataset of that name.", code="name_taken", param="name")
