"""What OpenAI's files and batches are beside a job: files, the batch as its API tells it, answers."""

from datetime import timedelta
from typing import ClassVar, Final
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.core import ids
from apps.core.models import TenantModel

KEPT: Final = timedelta(days=30)
"""How long a file is kept where nobody said otherwise."""


class FilePurpose(models.TextChoices):
    """What a file is for."""

    BATCH = "batch", "Requests of a batch"
    BATCH_OUTPUT = "batch_output", "Answers of a batch"


class Endpoint(models.TextChoices):
    """What a batch's requests are sent to."""

    CHAT = "/v1/chat/completions", "Chat completions"
    RESPONSES = "/v1/responses", "Responses"
    EMBEDDINGS = "/v1/embeddings", "Embeddings"


class OpenAIBatchStatus(models.TextChoices):
    """How far a batch is by its own row; what its job knows better, `openai.standing` tells."""

    VALIDATING = "validating", "Checking"
    IN_PROGRESS = "in_progress", "Running"
    COMPLETED = "completed", "Finished"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Stopped"
    EXPIRED = "expired", "Expired"


ENDED: Final = frozenset(
    {
        OpenAIBatchStatus.COMPLETED,
        OpenAIBatchStatus.FAILED,
        OpenAIBatchStatus.CANCELLED,
        OpenAIBatchStatus.EXPIRED,
    }
)


class OpenAIFile(TenantModel):
    """A file of `/v1/files`. `content_id` names its bytes among `core.files`; both expire together."""

    PREFIX: ClassVar[str] = "file"

    project_id: UUID
    project = models.ForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False, related_name="+")
    name = models.CharField(max_length=255)
    purpose = models.CharField(max_length=16, choices=FilePurpose.choices)
    size = models.PositiveBigIntegerField()
    content_id = models.UUIDField()
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        verbose_name = "OpenAI file"
        indexes = [
            models.Index(fields=["organization", "project", "-id"], name="batches_openaifile_list"),
            # The purge works across organizations.
            models.Index(fields=["expires_at"], name="batches_openaifile_expiry"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        """As `file-01k…`: what OpenAI's ids of files look like."""
        return ids.encode(self.PREFIX, self.id).replace("_", "-", 1)


class OpenAIBatch(TenantModel):
    """A batch of `/v1/batches`. Its job, made when the file has been found good, has the same UUID.

    `errors` is what is wrong with the file, as ``[{"code", "line", "message", "param"}]``. `model` is the one
    that all requests name, "" where they differ. `cached_tokens` is counted when the answers are written,
    None before. Who asked is kept by value, since the job is started later in their name. `rung_at` is when a
    worker was last asked to go on with it, `failures` how often one broke off.
    """

    PREFIX: ClassVar[str] = "batch"

    organization_id: UUID
    project_id: UUID
    project = models.ForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False, related_name="+")
    endpoint = models.CharField(max_length=32, choices=Endpoint.choices)
    input_file_id = models.UUIDField()
    output_file_id = models.UUIDField(null=True, blank=True)
    error_file_id = models.UUIDField(null=True, blank=True)
    status = models.CharField(
        max_length=16, choices=OpenAIBatchStatus.choices, default=OpenAIBatchStatus.VALIDATING
    )
    errors = models.JSONField(default=list, blank=True)
    metadata = models.JSONField(null=True, blank=True)
    output_seconds = models.PositiveIntegerField(null=True, blank=True)
    model = models.CharField(max_length=255, blank=True)
    cached_tokens = models.PositiveBigIntegerField(null=True, blank=True)
    livemode = models.BooleanField()
    api_key_id = models.UUIDField(null=True, blank=True)
    started_by_kind = models.CharField(max_length=10)
    started_by_id = models.UUIDField(null=True, blank=True)
    started_by_name = models.CharField(max_length=254, blank=True)
    started_by_role = models.CharField(max_length=255, blank=True)
    failures = models.PositiveSmallIntegerField(default=0)
    rung_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    in_progress_at = models.DateTimeField(null=True, blank=True)
    cancelling_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = "OpenAI batch"
        verbose_name_plural = "OpenAI batches"
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="batches_openaibatch_organization_id")
        ]
        indexes = [
            models.Index(fields=["organization", "project", "-id"], name="batches_openaibatch_list"),
            # What a worker has still to do: few, whoever they belong to.
            models.Index(
                fields=["status"],
                name="batches_openaibatch_open",
                condition=Q(status__in=["validating", "in_progress"]),
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in ENDED


class OpenAIAnswer(TenantModel):
    """The whole body that answers one request, from its end until the batch's files are written."""

    batch_id: UUID
    # The database's own key is (organization, batch): it can't lead into another organization.
    batch = models.ForeignKey(
        OpenAIBatch, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )
    number = models.PositiveIntegerField()
    run_id = models.UUIDField(null=True, blank=True)
    status_code = models.PositiveSmallIntegerField()
    body = models.BinaryField()

    class Meta(TenantModel.Meta):
        verbose_name = "OpenAI answer"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "batch", "number"], name="batches_openaianswer_number"
            )
        ]

    def __str__(self) -> str:
        return f"answer {self.number}"
