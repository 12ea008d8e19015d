"""The audit trail: events, their erasable details, and the seals that chain them."""

from typing import ClassVar

from django.db import models

from apps.core.models import IdentifiedModel, ScopedManager, UnscopedManager


class AuditEvent(IdentifiedModel):
    """Something somebody did. Append-only, and without foreign keys: it outlives what it speaks of.

    Nothing personal stands here; `detail_digests` holds a salted digest of each detail.
    """

    PREFIX: ClassVar[str] = "aud"

    class Outcome(models.TextChoices):
        DONE = "done"
        REFUSED = "refused"

    organization_id = models.UUIDField(null=True, editable=False)
    occurred_at = models.DateTimeField()
    action = models.CharField(max_length=80)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.DONE)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.UUIDField(null=True)
    actor_role = models.CharField(max_length=80)
    object_type = models.CharField(max_length=60, default="")
    object_id = models.CharField(max_length=64, default="")
    object_name = models.CharField(max_length=255, default="")
    changes = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, default="")
    detail_digests = models.JSONField(default=dict)

    objects = ScopedManager()
    all_organizations = UnscopedManager()

    class Meta:
        indexes = [
            models.Index(fields=["organization_id", "-id"], name="auditevent_newest"),
            models.Index(fields=["organization_id", "object_id", "-id"], name="auditevent_object"),
            models.Index(fields=["organization_id", "actor_id", "-id"], name="auditevent_actor"),
            models.Index(fields=["organization_id", "action", "-id"], name="auditevent_action"),
        ]

    def __str__(self) -> str:
        return self.action


class AuditDetail(IdentifiedModel):
    """The personal part (name, address, IP) or the long values of an event; sealed, and erasable."""

    class Part(models.TextChoices):
        PERSON = "person"
        VALUES = "values"

    event_id = models.UUIDField()
    organization_id = models.UUIDField(null=True, editable=False)
    part = models.CharField(max_length=10, choices=Part.choices)
    # Whose data it is, for erasure by person: the actor, or the user who was acted on.
    subject_ids = models.JSONField(default=list)
    sealed = models.BinaryField()

    objects = ScopedManager()
    all_organizations = UnscopedManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event_id", "part"], name="auditdetail_part")]
        indexes = [models.Index(fields=["organization_id", "event_id"], name="auditdetail_organization")]

    def __str__(self) -> str:
        return f"{self.part} of {self.event_id}"


class AuditPending(models.Model):
    """An event that waits for its seal; written with the event, deleted when it is sealed."""

    event_id = models.UUIDField(primary_key=True)

    def __str__(self) -> str:
        return str(self.event_id)


class AuditSeal(IdentifiedModel):
    """An event's place in its organization's chain; given after commit, append-only."""

    event_id = models.UUIDField(unique=True)
    organization_id = models.UUIDField(null=True, editable=False)
    sequence = models.BigIntegerField()
    previous_hash = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)
    sealed_at = models.DateTimeField(auto_now_add=True)

    objects = ScopedManager()
    all_organizations = UnscopedManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization_id", "sequence"], name="auditseal_sequence", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"#{self.sequence}"


class AuditCut(IdentifiedModel):
    """Up to which number a chain's events may be deleted, signed with the chains' key. Append-only.

    The seals stay: `hash` is that of the seal at the cut.
    """

    organization_id = models.UUIDField(null=True, editable=False)
    sequence = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)
    mac = models.BinaryField(max_length=32)
    cut_at = models.DateTimeField(auto_now_add=True)

    objects = ScopedManager()
    all_organizations = UnscopedManager()

    class Meta:
        indexes = [models.Index(fields=["organization_id", "-sequence"], name="auditcut_chain")]

    def __str__(self) -> str:
        return f"up to #{self.sequence}"
