"""What runs over the rows of a job that compares."""

from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from django.db import models

from apps.core.models import TenantModel


class BatchVariant(TenantModel):
    """One version, model and set of parameters of a job, and how its rows went.

    Rows exist only for jobs that have several: with one, the job's own columns say all of this.
    """

    PREFIX: ClassVar[str] = "btv"

    organization_id: UUID
    batch_id: UUID
    batch = models.ForeignKey(
        "batches.BatchJob",
        on_delete=models.CASCADE,
        db_index=False,
        db_constraint=False,
        related_name="variants",
    )
    position = models.PositiveSmallIntegerField()
    prompt_version_id: UUID
    prompt_version = models.ForeignKey(
        "prompts.PromptVersion", on_delete=models.RESTRICT, db_index=False, related_name="+"
    )
    version_number = models.PositiveIntegerField()
    label = models.CharField(max_length=64, blank=True)
    model = models.CharField(max_length=255)
    parameters = models.JSONField(default=dict)
    match_field = models.CharField(max_length=255, blank=True)
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    matched = models.PositiveIntegerField(default=0)
    compared = models.PositiveIntegerField(default=0)
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cost_used = models.DecimalField(max_digits=20, decimal_places=10, default=Decimal(0))
    cost_unknown = models.PositiveIntegerField(default=0)
    latency_ms_sum = models.PositiveBigIntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "batch", "position"], name="batches_variant_position_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"v{self.version_number}, {self.model}"

    @property
    def mean_latency_ms(self) -> int | None:
        """Of the rows that ended, None before the first."""
        ended = self.succeeded + self.failed
        return round(self.latency_ms_sum / ended) if ended else None
