"""Batches: one or several versions or models of a prompt over the rows of a dataset version.

Postgres holds the whole truth: a job's counters move in the same transaction as its items, and an item is
worked on by whoever holds its lease. Redis only rings. An item is written when its row is first taken, so a
start costs the same for ten rows and for a million (see `numbering`).
"""

from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from apps.batches import (  # noqa: F401 - their tables are this room's
    openai_models,
    preparation_models,
    provider_models,
    scale_models,
    stream_models,
)
from apps.batches.states import (
    ALL_ROWS_ADDED,
    COMPLETION_WINDOW,
    LARGEST_CONCURRENCY,
    TERMINAL_STATUSES,
    CostStatus,
    Delivery,
    ItemStatus,
    JobStatus,
    PauseReason,
    Priority,
    Source,
    StopReason,
)
from apps.batches.variant_models import BatchVariant
from apps.core.models import TenantModel

__all__ = [
    "ALL_ROWS_ADDED",
    "COMPLETION_WINDOW",
    "LARGEST_CONCURRENCY",
    "TERMINAL_STATUSES",
    "BatchItem",
    "BatchJob",
    "BatchVariant",
    "CostStatus",
    "Delivery",
    "ItemStatus",
    "JobStatus",
    "PauseReason",
    "Priority",
    "Pump",
    "Source",
    "StopReason",
]


class BatchJob(TenantModel):
    """A prompt over one dataset version, with a limit of calls in flight and of money.

    What runs over each row are its variants; the job's own prompt version, model and parameters are those of
    the first, and `BatchVariant` has them all where `variant_count` is above one. Rows are numbered from 1 to
    `total` as `numbering` says; `source_rows` of the dataset version are used (None in old jobs: `total`).
    Items exist up to, and not with, `next_number`; `pending` counts the rows after it too. Claims end at
    `claim_limit`, where a sample ends. `work` says how rows become calls: ``{"kind": "rows"}`` and others,
    see `shapes`. The requests of an OpenAI file name their own prompts and models: such a job has no prompt.

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
    prompt_id: UUID | None
    prompt = models.ForeignKey(
        "prompts.Prompt", on_delete=models.RESTRICT, null=True, blank=True, db_index=False, related_name="+"
    )
    prompt_version_id: UUID | None
    prompt_version = models.ForeignKey(
        "prompts.PromptVersion",
        on_delete=models.RESTRICT,
        null=True,
        blank=True,
        db_index=False,
        related_name="+",
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

    source = models.CharField(
        max_length=10, choices=Source.choices, default=Source.DATASET, db_default=Source.DATASET
    )
    source_rows = models.PositiveIntegerField(null=True, blank=True)
    variant_count = models.PositiveSmallIntegerField(default=1, db_default=1)
    next_number = models.PositiveIntegerField(default=1, db_default=ALL_ROWS_ADDED)
    claim_limit = models.PositiveIntegerField(null=True, blank=True)
    sample_rows = models.PositiveIntegerField(null=True, blank=True)
    work = models.JSONField(default=dict, db_default={}, blank=True)
    delivery = models.CharField(
        max_length=16, choices=Delivery.choices, default=Delivery.DIRECT, db_default=Delivery.DIRECT
    )
    continuous = models.BooleanField(default=False, db_default=False)
    # The stream that it is a part of, and how many of its rows were answered, in the order of the answers.
    stream_id = models.UUIDField(null=True, blank=True)
    answered = models.PositiveIntegerField(default=0, db_default=0)
    deduplicate = models.BooleanField(default=False, db_default=False)
    duplicates = models.PositiveIntegerField(default=0, db_default=0)
    # Rows that wait for the answer of an equal row in flight; they are among `pending`.
    held = models.PositiveIntegerField(default=0, db_default=0)
    rerun_of_id = models.UUIDField(null=True, blank=True)
    # Which rows of that job these are, in the words of `choosing.RowChoice`.
    rerun_choice = models.JSONField(default=dict, db_default={}, blank=True)
    # What is run again by itself once this job has ended, in the words of `rules.RerunRule`; {} for nothing.
    rerun_rule = models.JSONField(default=dict, db_default={}, blank=True)
    rerun_due = models.BooleanField(default=False, db_default=False)
    rerun_problem = models.CharField(max_length=500, blank=True, default="", db_default="")
    # A mail to who started it, when it ends or pauses by itself.
    notify = models.BooleanField(default=False, db_default=False)

    status = models.CharField(max_length=16, choices=JobStatus.choices, default=JobStatus.VALIDATING)
    stop_reason = models.CharField(max_length=16, choices=StopReason.choices, blank=True, default="")
    pause_reason = models.CharField(
        max_length=16, choices=PauseReason.choices, blank=True, default="", db_default=""
    )
    priority = models.SmallIntegerField(
        choices=Priority.choices, default=Priority.NORMAL, db_default=Priority.NORMAL
    )
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
    # Of a job that has ended: [{"code", "rows", "number" of the first row}], counted once.
    failure_groups = models.JSONField(default=list, db_default=[], blank=True)
    # Why it failed before its first row: {"code", "message", "param"}; {} otherwise.
    problem = models.JSONField(default=dict, db_default={}, blank=True)

    created_at = models.DateTimeField(auto_now_add=True)
    start_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()
    paused_at = models.DateTimeField(null=True, blank=True)
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
            models.Index(
                fields=["status", "organization"],
                name="batches_job_waiting",
                condition=Q(status__in=["scheduled", "paused"]),
            ),
            models.Index(
                fields=["organization", "rerun_of_id"],
                name="batches_job_rerun",
                condition=Q(rerun_of_id__isnull=False),
            ),
            models.Index(fields=["id"], name="batches_job_rerun_due", condition=Q(rerun_due=True)),
            models.Index(
                fields=["organization", "stream_id", "id"],
                name="batches_job_stream",
                condition=Q(stream_id__isnull=False),
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
    def claimable(self) -> int:
        """How many rows may be claimed: all that wait, but for held ones and those behind a sample's end."""
        free = self.pending - self.held
        if self.claim_limit is None:
            return free
        return free - max(self.total - max(self.claim_limit, self.next_number - 1), 0)

    @property
    def finished(self) -> int:
        """Rows that were run to an end; those that a stop left out are not among them."""
        return self.succeeded + self.failed

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended; a retry may open it again."""
        return self.status in TERMINAL_STATUSES


class BatchItem(TenantModel):
    """One row of a batch, from its first claim on. Its variables stay in the dataset's row (`numbering`).

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
    # The number of the row that answers for this one, in a job that answers equal rows once.
    duplicate_of = models.PositiveIntegerField(null=True, blank=True)
    input_digest = models.BinaryField(null=True, blank=True)
    # Never again through a provider's batch.
    direct = models.BooleanField(default=False, db_default=False)
    provider_batch_id = models.UUIDField(null=True, blank=True)
    # In streams: the how many-th answer of its part it is, in the order of the commits.
    answer_number = models.PositiveIntegerField(null=True, blank=True)
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
                fields=["organization", "batch", "answer_number"],
                name="batches_item_answer",
                condition=Q(answer_number__isnull=False),
            ),
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
            # From one such row to the next, however few there are among a million.
            models.Index(
                fields=["organization", "batch", "number"],
                name="batches_item_failed_order",
                condition=Q(status="failed"),
            ),
            models.Index(
                fields=["organization", "batch", "number"],
                name="batches_item_differs",
                condition=Q(matches=False),
            ),
            models.Index(
                fields=["organization", "provider_batch_id", "number"],
                name="batches_item_at_provider",
                condition=Q(status="running", provider_batch_id__isnull=False),
            ),
            models.Index(
                fields=["organization", "batch", "number"],
                name="batches_item_direct",
                condition=Q(direct=True, status__in=["pending", "running"]),
            ),
            models.Index(
                fields=["organization", "batch", "-finished_at"],
                name="batches_item_latest",
                condition=Q(finished_at__isnull=False),
            ),
            models.Index(
                fields=["organization", "batch", "input_digest"],
                name="batches_item_digest",
                condition=Q(input_digest__isnull=False, duplicate_of__isnull=True),
            ),
            models.Index(
                fields=["organization", "batch", "duplicate_of"],
                name="batches_item_held",
                condition=Q(status="pending", duplicate_of__isnull=False),
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
    # By job, where its provider holds this pump back: {"calls": at a time, "until": none before, Unix time}.
    paces = models.JSONField(default=dict, db_default={})

    def __str__(self) -> str:
        return str(self.id)
