"""Runs in numbers (Run) and their content (RunPayload).

Run and RunPayload are partitioned by range of their UUIDv7 id, so nothing may point a foreign key at
them: other rooms keep a plain run id. They are written by the recorder under the system role only.
"""

from typing import ClassVar
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import DO_NOTHING, Q
from django.db.models.functions import Now

from apps.core.models import TenantModel
from apps.runs.vector_fields import BitStringField, RealField


class RunStatus(models.TextChoices):
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class RunSource(models.TextChoices):
    GATEWAY = "gateway", "API"
    BATCH = "batch", "Batch"
    PLAYGROUND = "playground", "Playground"


class UnconstrainedTenantModel(TenantModel):
    """A tenant row whose organization is not a database foreign key.

    A foreign key would lock the organization's row for each of thousands of inserts a second.
    """

    organization = models.ForeignKey(
        "tenants.Organization",
        on_delete=DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        editable=False,
    )

    class Meta(TenantModel.Meta):
        abstract = True


class Run(UnconstrainedTenantModel):
    """One call of a model: numbers and references, never content. References are plain ids.

    `model` is what answered, or was called last; `asked_model` what was asked for where an alias or a
    fallback led elsewhere. `cache_kind` is "exact" or "semantic" where `cached_from` answered, and
    `cache_distance` the cosine distance of a semantic hit. `guardrail_hits` say rule, place and action, never
    text. `unit` is the caller's own name of whom the run is for, by which experiments split.
    `own_microseconds` is the time that was neither the provider's nor a wait.
    """

    PREFIX: ClassVar[str] = "run"

    project_id = models.UUIDField()
    created_at = models.DateTimeField()
    source = models.CharField(max_length=16, choices=RunSource.choices)
    source_id = models.UUIDField(null=True)
    prompt_id = models.UUIDField(null=True)
    prompt_name = models.CharField(max_length=255, blank=True)
    version_id = models.UUIDField(null=True)
    version_number = models.IntegerField(null=True)
    label = models.CharField(max_length=64, blank=True)
    connection = models.CharField(max_length=100)
    model = models.CharField(max_length=255)
    api_key_id = models.UUIDField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=16, choices=RunStatus.choices)
    error_code = models.CharField(max_length=64, blank=True)
    error_type = models.CharField(max_length=64, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    error_status = models.SmallIntegerField(null=True)
    input_tokens = models.IntegerField(null=True)
    output_tokens = models.IntegerField(null=True)
    cached_tokens = models.IntegerField(null=True)
    usage_origin = models.CharField(max_length=16)
    price_status = models.CharField(max_length=16)
    price_amount = models.DecimalField(max_digits=20, decimal_places=10, null=True)
    price_snapshot = models.JSONField(default=dict)
    latency_ms = models.IntegerField()
    first_token_ms = models.IntegerField(null=True)
    finish_reason = models.CharField(max_length=32, blank=True)
    attempts = models.JSONField(default=list)
    provider_request_id = models.CharField(max_length=128, blank=True)
    sandbox = models.BooleanField()
    livemode = models.BooleanField()
    metadata = models.JSONField(default=dict)
    end_user = models.CharField(max_length=255, blank=True)
    cached_from = models.UUIDField(null=True)
    cache_kind = models.CharField(max_length=10, blank=True, db_default="", default="")
    cache_distance = models.FloatField(null=True)
    asked_model = models.CharField(max_length=255, blank=True, db_default="", default="")
    guardrail_hits = models.JSONField(default=list, db_default=[])
    unit = models.CharField(max_length=255, blank=True, db_default="", default="")
    background = models.BooleanField(default=False, db_default=False)
    own_microseconds = models.IntegerField(null=True)
    overrides = ArrayField(models.CharField(max_length=120), default=list, db_default=[])
    stored_content = models.BooleanField(
        default=True, db_default=True, help_text="Whether its content was stored when it ran."
    )

    class Meta(UnconstrainedTenantModel.Meta):
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organization", "project_id", "-id"], name="run_project"),
            models.Index(fields=["organization", "project_id", "prompt_id", "-id"], name="run_prompt"),
            models.Index(fields=["organization", "source_id", "-id"], name="run_source"),
            models.Index(fields=["organization", "request_id"], name="run_request"),
            models.Index(
                fields=["organization", "project_id", "-id"],
                name="run_not_succeeded",
                condition=~Q(status="succeeded"),
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class UncountedRuns(UnconstrainedTenantModel):
    """Runs that were written together and that no roll-up has counted yet.

    A row is written in the transaction of its runs and deleted in the one that counts them, so every run is
    counted exactly once, however late it comes.
    """

    run_ids = ArrayField(models.UUIDField())

    def __str__(self) -> str:
        return f"{len(self.run_ids)} runs"


class UncountedFeedback(UnconstrainedTenantModel):
    """What a feedback that was given, changed or taken back adds to its run's score, not counted yet."""

    run_id = models.UUIDField()
    score_sum = models.SmallIntegerField()
    score_count = models.SmallIntegerField()

    def __str__(self) -> str:
        return str(self.run_id)


class RunPayload(UnconstrainedTenantModel):
    """A run's content under the organization's data key; has the run's id.

    `content` is JSON with messages, variables, parameters and output; `preview` holds the first
    200 characters of input and output, so that a list never opens whole contents.
    """

    content = models.BinaryField()
    preview = models.BinaryField()

    def __str__(self) -> str:
        return str(self.id)


class Feedback(TenantModel):
    """What somebody thinks of a run's answer: a score, words, and what the answer should have been.

    `giver` is one voice: a member, an API key, or a program's own user told by a key; each has one feedback a
    run, and giving again replaces it. Comment and correction are content and lie sealed. Prompt and version
    are copied from the run, since a roll-up must not look into partitions for them.
    """

    PREFIX: ClassVar[str] = "fbk"

    project = models.ForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False, related_name="+")
    project_id: UUID
    run_id = models.UUIDField()
    prompt_id = models.UUIDField(null=True)
    version_id = models.UUIDField(null=True)
    giver = models.CharField(max_length=300)
    giver_name = models.CharField(max_length=255)
    score = models.PositiveSmallIntegerField(null=True)
    sealed_text = models.BinaryField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "run_id", "giver"], name="feedback_of_giver"),
            models.CheckConstraint(condition=Q(score__gte=1, score__lte=5), name="feedback_score"),
            models.CheckConstraint(
                condition=Q(score__isnull=False) | Q(sealed_text__isnull=False),
                name="feedback_says_something",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "project", "-id"], name="feedback_list"),
            models.Index(fields=["organization", "prompt_id", "-id"], name="feedback_prompt"),
        ]

    def __str__(self) -> str:
        return self.public_id


class BackgroundStatus(models.TextChoices):
    """How a background run stands."""

    QUEUED = "queued", "Waiting"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class BackgroundRun(TenantModel):
    """A run that was accepted and is carried out by a worker; its id is the id of the run that comes of it.

    `sealed_request` is what was asked, under the organization's data key, until the run has ended. `fence`
    grows with every claim and every loss of a lease: a result is taken only from the holder of the present
    one. `recorded` is whether a Run tells how it ended; what was refused or cancelled before any call has
    none, and its error stands here.
    """

    PREFIX: ClassVar[str] = "run"

    project = models.ForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False, related_name="+")
    project_id: UUID
    # By value: a key may go while its runs wait, and then they fail.
    api_key_id = models.UUIDField()
    prompt_name = models.CharField(max_length=255, blank=True)
    model = models.CharField(max_length=255, blank=True)
    livemode = models.BooleanField()
    sealed_request = models.BinaryField(null=True)
    status = models.CharField(
        max_length=10, choices=BackgroundStatus.choices, default=BackgroundStatus.QUEUED
    )
    recorded = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    lease_owner = models.UUIDField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    error_type = models.CharField(max_length=64, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(
                fields=["organization", "project", "-id"],
                name="background_unrecorded",
                condition=Q(recorded=False),
            ),
            models.Index(
                fields=["organization", "id"], name="background_queued", condition=Q(status="queued")
            ),
            # The sweeper works across organizations.
            models.Index(fields=["lease_expires_at"], name="background_lease", condition=Q(status="running")),
            models.Index(fields=["expires_at"], name="background_expiry", condition=Q(status="queued")),
            models.Index(
                fields=["finished_at"], name="background_finished", condition=Q(finished_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.finished_at is not None


class BackgroundPump(models.Model):
    """A worker's job for background runs, rung or running; it counts as alive until `expires_at`.

    Belongs to no organization: it serves all of them in turn. A ring that Redis lost expires and is rung
    again; a job that starts too late finds no row and ends at once.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()
    slots = models.PositiveSmallIntegerField()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="background_pump_expiry")]

    def __str__(self) -> str:
        return str(self.id)


class CacheEntry(TenantModel):
    """An answer that may be given again to a question which means the same: the semantic cache.

    `scope_hash` is a keyed hash of all that has to be equal (see `semantic_scope`), so only its entries are
    compared. `embedding` is the question's, in the open since it is compared by; `signature` has a bit for
    each of its numbers, by which the nearest are chosen first. `sealed` holds the answer under the
    organization's data key. Neither type needs the extension that compares them.
    """

    project = models.ForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False, related_name="+")
    project_id: UUID
    prompt_id = models.UUIDField(null=True)
    version_id = models.UUIDField(null=True)
    run_id = models.UUIDField()
    scope_hash = models.BinaryField(max_length=32)
    embedding = ArrayField(RealField())
    signature = BitStringField()
    sealed = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        verbose_name_plural = "cache entries"
        indexes = [
            models.Index(fields=["organization", "scope_hash", "-id"], name="cacheentry_scope"),
            models.Index(fields=["organization", "project", "id"], name="cacheentry_project"),
            # The purge works across organizations.
            models.Index(fields=["expires_at"], name="cacheentry_expiry"),
        ]

    def __str__(self) -> str:
        return f"answer of {self.run_id}"
