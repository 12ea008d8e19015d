"""Requests to erase a person, or the whole organization."""

from typing import ClassVar, Final
from uuid import UUID

from django.db import models

from apps.core.models import TenantModel


class ErasureKind(models.TextChoices):
    """Whose data goes."""

    END_USER = "end_user", "End user"
    MEMBER = "member", "Member"
    ORGANIZATION = "organization", "Organization"


class ErasureState(models.TextChoices):
    """How a request stands."""

    PENDING = "pending", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    CANCELLED = "cancelled", "Cancelled"
    REFUSED = "refused", "Refused"


OPEN_STATES: Final = (ErasureState.PENDING, ErasureState.RUNNING)


class ErasureRequest(TenantModel):
    """Somebody asked that a person's data, or the organization, be erased; what was done, in counts.

    Whom it is about lies sealed in `sealed_subject` until the end and is then dropped; `subject_digest`,
    keyed by the organization, recognises the same id again without telling it. `step` and `position` say
    where the work goes on; they and `counts` move in the transaction of the work itself. The row outlives
    the organization as the platform's record, hence without a database foreign key.
    """

    PREFIX: ClassVar[str] = "ers"

    organization = models.ForeignKey(
        "tenants.Organization",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        editable=False,
    )
    kind = models.CharField(max_length=12, choices=ErasureKind.choices)
    state = models.CharField(max_length=9, choices=ErasureState.choices, default=ErasureState.PENDING)
    subject_digest = models.CharField(max_length=64)
    sealed_subject = models.BinaryField(null=True)
    reason = models.CharField(max_length=200, blank=True)
    refusal = models.CharField(max_length=500, blank=True, default="")
    requested_by = models.ForeignKey(
        "tenants.User", on_delete=models.SET_NULL, null=True, db_index=False, related_name="+"
    )
    requested_by_id: UUID | None
    created_at = models.DateTimeField(auto_now_add=True)
    execute_after = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    touched_at = models.DateTimeField(auto_now_add=True)
    step = models.CharField(max_length=40, blank=True, default="")
    position = models.JSONField(default=dict)
    counts = models.JSONField(default=dict)

    class Meta(TenantModel.Meta):
        app_label = "retention"
        indexes = [
            models.Index(fields=["organization", "-id"], name="erasure_list"),
            # The sweeper works across organizations.
            models.Index(
                fields=["execute_after"],
                name="erasure_open",
                condition=models.Q(ended_at__isnull=True),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "kind", "subject_digest"],
                condition=models.Q(ended_at__isnull=True),
                name="erasure_once_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def is_open(self) -> bool:
        """Whether it waits or runs."""
        return self.state in OPEN_STATES
