"""Rows on their way to a batch: taken from an upload, from earlier runs, from another batch."""

from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q

from apps.core.models import TenantModel


class PreparationState(models.TextChoices):
    """How far rows are."""

    PREPARING = "preparing", "Taking rows"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


class RowPreparation(TenantModel):
    """Rows that are taken from somewhere into a dataset version of their own, outside of the library.

    `source` says from where, in the words of `row_sources`. `place` is how far the work is, committed with
    the rows that it stands for, so that a killed worker's successor goes on behind them. `left_out` counts
    what gave no row, since its content is not kept any more. With `batch_id` a job waits for the rows and
    starts with `options` once they are there.
    """

    PREFIX: ClassVar[str] = "bpr"

    organization_id: UUID
    project = models.ForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False, related_name="+")
    project_id: UUID
    source = models.JSONField(default=dict)
    dataset_version = models.ForeignKey(
        "datasets.DatasetVersion", on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    dataset_version_id: UUID
    # By plain id: deleting a job or an upload needn't look here.
    batch_id = models.UUIDField(null=True, blank=True)
    options = models.JSONField(default=dict, blank=True)
    state = models.CharField(
        max_length=10, choices=PreparationState.choices, default=PreparationState.PREPARING
    )
    place = models.CharField(max_length=64, blank=True, default="")
    expected_rows = models.PositiveIntegerField(default=0)
    rows = models.PositiveIntegerField(default=0)
    left_out = models.PositiveIntegerField(default=0)
    problem = models.JSONField(default=dict, blank=True)
    # By value: people and keys may go meanwhile.
    started_by_kind = models.CharField(max_length=10, blank=True, default="")
    started_by_id = models.UUIDField(null=True, blank=True)
    started_by_name = models.CharField(max_length=254, blank=True, default="")
    failures = models.PositiveSmallIntegerField(default=0)
    touched_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["organization", "dataset_version"], name="batches_preparation_version"),
            models.Index(
                fields=["touched_at"], name="batches_preparation_open", condition=Q(state="preparing")
            ),
        ]

    def __str__(self) -> str:
        return str(self.source_words)

    @property
    def kind(self) -> str:
        """Where the rows come from, as `Source` names it."""
        return str(self.source.get("kind", ""))

    @property
    def source_words(self) -> Any:
        """The kind of source as a person reads it."""
        return self.source.get("name") or self.kind

    @property
    def is_under_way(self) -> bool:
        """Whether rows are still being taken."""
        return self.state == PreparationState.PREPARING
