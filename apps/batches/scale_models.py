"""Scale tests: one prompt over more and more rows, to see how it keeps up."""

from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q

from apps.core.models import TenantModel

LARGEST_STEP = 10_000
MOST_STEPS = 6
USUAL_STEPS = (10, 100, 1_000, 10_000)


class ScaleTestStatus(models.TextChoices):
    """How far a scale test is, in the words of batches."""

    IN_PROGRESS = "in_progress", "Running"
    CANCELLING = "cancelling", "Stopping"
    COMPLETED = "completed", "Finished"
    CANCELLED = "cancelled", "Stopped"
    FAILED = "failed", "Failed"


class StepStatus(models.TextChoices):
    """How far a step is; one that was stopped has figures of the rows that were through."""

    PENDING = "pending", "Waiting"
    RUNNING = "running", "Running"
    COMPLETED = "completed", "Finished"
    CANCELLED = "cancelled", "Stopped"


class ScaleTest(TenantModel):
    """The same prompt version over 10, 100, 1,000 … rows, a batch for each step, one after the other.

    What the steps run is fixed at the start, by value: prompts and datasets may go, the figures stay.
    `cost_cap` in USD is for all steps together; `estimate` is what they were expected to cost. `problem` says
    why the next step could not be started.
    """

    PREFIX: ClassVar[str] = "sct"

    organization_id: UUID
    project = models.ForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False, related_name="+")
    project_id: UUID
    name = models.CharField(max_length=120)
    prompt_name = models.CharField(max_length=255)
    version_number = models.PositiveIntegerField()
    label = models.CharField(max_length=64, blank=True)
    dataset_version_id = models.UUIDField()
    dataset_name = models.CharField(max_length=120)
    dataset_rows = models.PositiveIntegerField()
    model = models.CharField(max_length=255)
    concurrency = models.PositiveSmallIntegerField()
    livemode = models.BooleanField()
    sandbox = models.BooleanField()
    api_key_id = models.UUIDField(null=True, blank=True)
    cost_cap = models.DecimalField(max_digits=20, decimal_places=10, null=True, blank=True)
    estimate = models.JSONField(default=dict)
    status = models.CharField(
        max_length=16, choices=ScaleTestStatus.choices, default=ScaleTestStatus.IN_PROGRESS
    )
    stop_reason = models.CharField(max_length=16, blank=True)
    problem = models.CharField(max_length=500, blank=True)
    started_by_kind = models.CharField(max_length=10)
    started_by_id = models.UUIDField(null=True, blank=True)
    started_by_name = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["organization", "project", "-id"], name="batches_scale_test_list"),
            models.Index(
                fields=["status"],
                name="batches_scale_test_open",
                condition=Q(status__in=["in_progress", "cancelling"]),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="batches_scale_test_organization_id")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will run."""
        return self.completed_at is not None


class ScaleTestStep(TenantModel):
    """One batch of a scale test, and what it showed.

    `seconds` are from the first call to the last answer, `latency_*` the calls' own times in ms, over rows
    that succeeded or failed. None is not known. `cost_used` is made-up money in the sandbox.
    """

    PREFIX: ClassVar[str] = "scs"

    organization_id: UUID
    scale_test_id: UUID
    scale_test = models.ForeignKey(
        ScaleTest, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="steps"
    )
    position = models.PositiveSmallIntegerField()
    rows = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=StepStatus.choices, default=StepStatus.PENDING)
    # By plain id: deleting a batch needn't look here.
    batch_id = models.UUIDField(null=True, blank=True)
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(null=True, blank=True)
    latency_p50 = models.FloatField(null=True, blank=True)
    latency_p95 = models.FloatField(null=True, blank=True)
    latency_p99 = models.FloatField(null=True, blank=True)
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cost_used = models.DecimalField(max_digits=20, decimal_places=10, default=Decimal(0))
    cost_unknown = models.PositiveIntegerField(default=0)

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["organization", "batch_id"], name="batches_scale_step_batch")]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "scale_test", "position"], name="batches_scale_step_position"
            )
        ]

    def __str__(self) -> str:
        return f"{self.rows:,} rows"

    @property
    def finished(self) -> int:
        """Rows that came to an end."""
        return self.succeeded + self.failed

    @property
    def rows_per_second(self) -> float | None:
        """Rows that came to an end, by the time from the first call to the last answer."""
        return self.finished / self.seconds if self.seconds and self.finished else None

    @property
    def error_rate(self) -> float | None:
        """The failed share of the rows that came to an end, from 0 to 1."""
        return self.failed / self.finished if self.finished else None

    @property
    def cost_per_row(self) -> Decimal | None:
        """USD for a row that came to an end; None where a price is unknown."""
        if not self.finished or self.cost_unknown:
            return None
        return self.cost_used / self.finished

    def figures(self) -> dict[str, Any]:
        """What the step showed, as the API and a file tell it."""
        cost = self.cost_per_row
        return {
            "rows_per_second": self.rows_per_second,
            "latency_p50_ms": self.latency_p50,
            "latency_p95_ms": self.latency_p95,
            "latency_p99_ms": self.latency_p99,
            "error_rate": self.error_rate,
            "cost_per_row_usd": None if cost is None else f"{cost:.10f}",
        }
