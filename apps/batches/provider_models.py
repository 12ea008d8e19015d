"""Rows of a job that lie at their provider, in a batch of its own."""

from typing import ClassVar
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.core.models import TenantModel


class ProviderState(models.TextChoices):
    """How far a provider's batch is; each state is left by one step, which may be repeated after a kill."""

    PREPARING = "preparing", "Preparing"
    UPLOADING = "uploading", "Sending"
    SUBMITTED = "submitted", "Accepted by the provider"
    IN_PROGRESS = "in_progress", "At the provider"
    FETCHING = "fetching", "Fetching answers"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


FINAL_STATES = frozenset({ProviderState.DONE, ProviderState.FAILED, ProviderState.CANCELLED})
AT_PROVIDER = frozenset({ProviderState.SUBMITTED, ProviderState.IN_PROGRESS, ProviderState.FETCHING})


class ProviderBatch(TenantModel):
    """Rows of one variant of a job that went to a provider's batch endpoint together.

    Its rows are `running` and name it; they have a lease that outlasts it, since this row is what keeps them.
    `external_id` is the provider's batch and `upload_id` its file of calls. From `create_sent_at` on the
    provider may have the batch without our knowing its id: then it is looked for before another is made.
    `found_by_size`: nothing at the provider says that it is ours, so its answers have to; `not_ours` are
    those that turned out to be somebody else's. `requests` were sent, of which `answered` and `failed` are
    the provider's counts; `recorded` have a result here, `returned` went back to be called directly.
    `error_message` is in our own words, without any of what was sent.
    Whoever holds `worker` until `worker_until` carries out the next step, due at `next_step_at` (None: none).
    """

    PREFIX: ClassVar[str] = "pbt"

    organization_id: UUID
    batch_id: UUID
    # The database's own key is (organization, batch): it can't lead into another organization.
    batch = models.ForeignKey(
        "batches.BatchJob", on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )
    variant = models.PositiveSmallIntegerField(default=0)
    connection_id = models.UUIDField(null=True, blank=True)
    connection = models.CharField(max_length=40)
    model = models.CharField(max_length=255)
    kind = models.CharField(max_length=255, blank=True)
    state = models.CharField(max_length=12, choices=ProviderState.choices, default=ProviderState.PREPARING)
    upload_id = models.CharField(max_length=200, blank=True)
    external_id = models.CharField(max_length=200, blank=True)
    found_by_size = models.BooleanField(default=False)
    not_ours = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    allowance_id = models.UUIDField(null=True, blank=True)

    first_number = models.PositiveIntegerField(null=True, blank=True)
    last_number = models.PositiveIntegerField(null=True, blank=True)
    requests = models.PositiveIntegerField(default=0)
    size = models.PositiveBigIntegerField(default=0)
    answered = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    recorded = models.PositiveIntegerField(default=0)
    returned = models.PositiveIntegerField(default=0)

    attempts = models.PositiveIntegerField(default=0)
    error_code = models.CharField(max_length=64, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    next_step_at = models.DateTimeField(null=True, blank=True)
    rung_at = models.DateTimeField(null=True, blank=True)
    worker = models.UUIDField(null=True, blank=True)
    worker_until = models.DateTimeField(null=True, blank=True)

    created_at = models.DateTimeField(auto_now_add=True)
    create_sent_at = models.DateTimeField(null=True, blank=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    cancel_sent_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    tidied_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["organization", "batch", "id"], name="batches_provider_job"),
            models.Index(
                fields=["next_step_at"], name="batches_provider_due", condition=Q(next_step_at__isnull=False)
            ),
        ]
        constraints = [
            # Rows are gathered for one at a time, so that each is as full as it can be.
            models.UniqueConstraint(
                fields=["organization", "batch", "variant"],
                name="batches_provider_preparing",
                condition=Q(state="preparing"),
            ),
            models.UniqueConstraint(
                fields=["organization", "connection_id", "external_id"],
                name="batches_provider_external",
                condition=~Q(external_id=""),
            ),
        ]

    def __str__(self) -> str:
        return self.external_id or self.public_id

    @property
    def is_final(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state in FINAL_STATES

    @property
    def may_be_there(self) -> bool:
        """Whether the provider may have the batch."""
        return self.create_sent_at is not None
