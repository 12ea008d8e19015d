"""Batches: one prompt version over the rows of a dataset version.

Postgres holds the whole truth: a job's counters move in the same transaction as its items, and an item is
worked on by whoever holds its lease. Redis only rings.
"""

from datetime import timedelta
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from apps.core.models import TenantModel

LARGEST_CONCURRENCY = 256
COMPLETION_WINDOW = timedelta(hours=24)


class JobStatus(models.TextChoices):
    """The words of OpenAI's batch object."""

    VALIDATING = "validating", "Checking"
    IN_PROGRESS = "in_progress", "Running"
    FINALIZING = "finalizing", "Finishing"
    COMPLETED = "completed", "Finished"
    FAILED = "failed", "Failed"
    CANCELLING = "cancelling", "Stopping"
    CANCELLED = "cancelled", "Stopped"
    EXPIRED = "expired", "Expired"


TERMINAL_STATUSES = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED})
"""Nothing runs or will run, until a retry opens the job again."""


class StopReason(models.TextChoices):
    """Why a job ended before its last row."""

    NONE = "", "Not stopped"
    REQUESTED = "requested", "Stopped on request"
    COST_CAP = "cost_cap", "The cost cap was reached"
    QUOTA = "quota", "The month's quota is used up"
    EXPIRED = "expired", "Not finished in 24 hours"


class ItemStatus(models.TextChoices):
    """How a row stands."""

    PENDING = "pending", "Waiting"
    RUNNING = "running", "In flight"
    SUCCEEDED = "succeeded", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Stopped"


class CostStatus(models.TextChoices):
    """What an amount of money means; `unknown` has no amount and is never shown as zero."""

    NONE = "", "No cost"
    PRICED = "priced", "Priced"
    FREE = "free", "Free"
    UNKNOWN = "unknown", "Price unknown"
    SANDBOX = "sandbox", "Sandbox, not real money"


class BatchJob(TenantModel):
    """One prompt version over one dataset version, with a limit of calls in flight and of money.

    `total = pending + running + succeeded + failed + cancelled` holds after every transaction. `cost_used` is
    what finished calls cost in all rounds; `cost_reserved` is the worst case of the calls in flight, so that
    `cost_used + cost_reserved <= cost_cap` at every moment. In a sandbox job both are made-up money.
    `parameters` go over the version's own; `match_field` names the output's field that is compared with the
    expected value ("" compares the text).
    """

    PREFIX: ClassVar[str] = "bat"

    project_id: UUID
    project = models.ForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False, related_name="+")
    name = models.CharField(max_length=120)
    prompt_id: UUID
    prompt = models.ForeignKey("prompts.Prompt", on_delete=models.RESTRICT, db_index=False, related_name="+")
    prompt_version_id: UUID
    prompt_version = models.ForeignKey(
        "prompts.PromptVersion", on_delete=models.RESTRICT, db_index=False, related_name="+"
    )
    dataset_version_id: UUID
    dataset_version = models.ForeignKey(
        "datasets.DatasetVersion", on_delete=models.RESTRICT, db_index=False, related_name="+"
    )
    prompt_name = models.CharField(max_length=255)
    version_number = models.PositiveIntegerField()
    label = models.CharField(max_length=64, blank=True)
    model = models.CharField(max_length=255)
    parameters = models.JSONField(default=dict)
    match_field = models.CharField(max_length=255, blank=True)
    metadata = models.JSONField(default=dict)

    status = models.CharField(max_length=16, choices=JobStatus.choices, default=JobStatus.VALIDATING)
    stop_reason = models.CharField(max_length=16, choices=StopReason.choices, blank=True, default="")
    concurrency = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(LARGEST_CONCURRENCY)]
    )
    livemode = models.BooleanField()
    sandbox = models.BooleanField()
    api_key_id = models.UUIDField(null=True, blank=True)
    # By value: people and keys may go, the history stays.
    started_by_kind = models.CharField(max_length=10)
    started_by_id = models.UUIDField(null=True, blank=True)
    started_by_name = models.CharField(max_length=254, blank=True)

    total = models.PositiveIntegerField()
    pending = models.PositiveIntegerField()
    running = models.PositiveIntegerField(default=0)
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    matched = models.PositiveIntegerField(default=0)
    compared = models.PositiveIntegerField(default=0)

    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cost_cap = models.DecimalField(max_digits=20, decimal_places=10, null=True, blank=True)
    cost_used = models.DecimalField(max_digits=20, decimal_places=10, default=Decimal(0))
    cost_reserved = models.DecimalField(max_digits=20, decimal_places=10, default=Decimal(0))
    cost_unknown = models.PositiveIntegerField(default=0)
    estimate = models.JSONField(default=dict)

    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    cancelling_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    # Since then retention has taken what the rows answered; their figures stay. A retry takes it back.
    content_deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["organization", "project", "-id"], name="batches_job_list"),
            models.Index(
                fields=["status", "organization"],
                name="batches_job_open",
                condition=Q(status__in=["validating", "in_progress", "finalizing", "cancelling"]),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="batches_job_organization_id"),
            models.CheckConstraint(
                condition=Q(
                    total=models.F("pending")
                    + models.F("running")
                    + models.F("succeeded")
                    + models.F("failed")
                    + models.F("cancelled")
                ),
                name="batches_job_counts_add_up",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def finished(self) -> int:
        """Rows that were run to an end; those that a stop left out are not among them."""
        return self.succeeded + self.failed

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended; a retry may open it again."""
        return self.status in TERMINAL_STATUSES


class BatchItem(TenantModel):
    """One row of a batch. Its variables stay in the dataset's row of the same number.

    `fence` grows with every claim and every loss of a lease: a result is taken only from the holder of the
    present fence. `round` counts the retries that people asked for and is part of the usage key, so a lost
    lease can't charge twice. `run_id` is a plain id: runs live in partitions.
    """

    PREFIX: ClassVar[str] = "bti"

    # One key to the job is enough, and the job's leads to the organization: a start adds 100,000 rows.
    organization = models.ForeignKey(
        "tenants.Organization",
        on_delete=models.CASCADE,
        db_index=False,
        db_constraint=False,
        related_name="+",
        editable=False,
    )
    batch_id: UUID
    # The database's own key is (organization, batch): it can't lead into another organization.
    batch = models.ForeignKey(
        BatchJob, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=ItemStatus.choices, default=ItemStatus.PENDING)
    round = models.PositiveSmallIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    lease_owner = models.UUIDField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    run_id = models.UUIDField(null=True, blank=True)
    output = models.TextField(blank=True)
    output_truncated = models.BooleanField(default=False)
    parsed = models.JSONField(null=True, blank=True)
    matches = models.BooleanField(null=True, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    finish_reason = models.CharField(max_length=32, blank=True)
    input_tokens = models.PositiveIntegerField(null=True, blank=True)
    output_tokens = models.PositiveIntegerField(null=True, blank=True)
    cost = models.DecimalField(max_digits=20, decimal_places=10, null=True, blank=True)
    cost_status = models.CharField(max_length=10, choices=CostStatus.choices, blank=True, default="")
    cost_reserved = models.DecimalField(max_digits=20, decimal_places=10, default=Decimal(0))
    latency_ms = models.PositiveIntegerField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["batch", "number"], name="batches_item_number_unique"),
        ]
        indexes = [
            models.Index(
                fields=["organization", "batch", "number"],
                name="batches_item_claim",
                condition=Q(status="pending"),
            ),
            models.Index(
                fields=["lease_expires_at"], name="batches_item_lease", condition=Q(status="running")
            ),
            models.Index(
                fields=["organization", "batch", "error_code", "number"],
                name="batches_item_failed",
                condition=Q(status="failed"),
            ),
            models.Index(
                fields=["organization", "batch", "-finished_at"],
                name="batches_item_latest",
                condition=Q(finished_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"row {self.number}"


class Pump(models.Model):
    """A pump that is rung (not yet started) or running; it counts as alive until `expires_at`.

    Belongs to no organization: a pump serves all of them in turn. A ring that Redis lost expires; the sweeper
    deletes it and rings again, so a job that starts too late finds no row and ends at once.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    rung_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(db_index=True)
    slots = models.PositiveSmallIntegerField()
    process = models.CharField(max_length=100, blank=True)

    def __str__(self) -> str:
        return str(self.id)
