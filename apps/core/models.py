"""Base of every tenant table, and the tables of core itself."""

from typing import ClassVar, TypeVar
from uuid import UUID

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from apps.core import ids
from apps.core.scope import current_organization_id

Row = TypeVar("Row", bound=models.Model)
Identified = TypeVar("Identified", bound="IdentifiedModel")


class ScopedManager(models.Manager[Row]):
    """Fence 1: rows of the open scope's organization only; raises ScopeError outside a scope."""

    def get_queryset(self) -> models.QuerySet[Row]:
        return super().get_queryset().filter(organization_id=current_organization_id())


class UnscopedManager(models.Manager[Row]):
    """Every organization's rows, as far as the database role may see them; for the listed doors only."""


class IdentifiedModel(models.Model):
    """A row with a UUIDv7 key and, where the outside sees it, a prefixed public id."""

    PREFIX: ClassVar[str] = ""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)

    class Meta:
        abstract = True

    @property
    def public_id(self) -> str:
        return ids.encode(self.PREFIX, self.id)


def find(rows: models.QuerySet[Identified], public_id: str) -> Identified | None:
    """The one of the rows that a public id names; None for a malformed or unknown id."""
    row_id = ids.decode_or_none(rows.model.PREFIX, public_id)
    return rows.filter(pk=row_id).first() if row_id else None


class TenantModel(IdentifiedModel):
    """A row that belongs to one organization.

    Its table stands behind row-level security (``row_security.TenantTable`` in the migration), and
    every index leads with the organization.
    """

    organization = models.ForeignKey(
        "tenants.Organization", on_delete=models.CASCADE, db_index=False, related_name="+", editable=False
    )
    organization_id: UUID

    # The first manager is Django's default manager: related look-ups and admin go through the fence.
    objects = ScopedManager()
    all_organizations = UnscopedManager()

    class Meta:
        abstract = True


class DataKey(IdentifiedModel):
    """The key that seals one organization's secrets and payloads, wrapped by a versioned master key.

    Without organization it is the platform's own key. Deleting a row shreds all that it sealed.
    """

    organization_id = models.UUIDField(null=True, editable=False)
    wrapped = models.BinaryField(max_length=60)
    master_version = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField(db_default=Now())
    rewrapped_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization_id"], name="datakey_organization", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"data key of {self.organization_id or 'the platform'}"


class StoredFile(TenantModel):
    """A file; its content lies in FileChunk rows, sealed."""

    PREFIX: ClassVar[str] = "fil"

    name = models.CharField(max_length=255)
    content_type = models.CharField(max_length=100)
    size = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, default="")
    chunk_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["organization", "-id"], name="storedfile_organization"),
            # The purge works across organizations, so this one does not lead with the organization.
            models.Index(
                fields=["expires_at"], name="storedfile_expiry", condition=models.Q(expires_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.name


class FileChunk(TenantModel):
    """At most 1 MiB of a file, sealed under the organization's data key."""

    file = models.ForeignKey(StoredFile, on_delete=models.CASCADE, db_index=False, related_name="+")
    file_id: UUID
    number = models.PositiveIntegerField()
    sealed = models.BinaryField()

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "file", "number"], name="filechunk_number")
        ]
        # For the foreign key's cascade, which knows only the file.
        indexes = [models.Index(fields=["file"], name="filechunk_file")]

    def __str__(self) -> str:
        return f"{self.file_id}#{self.number}"


class OutboxMessage(IdentifiedModel):
    """Something that happened, written with the change itself and handed on after the commit.

    The application may only insert (so nothing here may be returned by the insert); the relay reads it.
    """

    organization_id = models.UUIDField(null=True, editable=False)
    topic = models.CharField(max_length=100)
    payload = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=500, default="")
    failed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], name="outbox_due", condition=models.Q(failed_at__isnull=True))
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.id}"


class OutgoingMail(IdentifiedModel):
    """A mail that waits to be sent. The message itself is sealed under the platform's key.

    `organization_id` is that of the scope in which it was written; none for mail about an account.
    The application may only insert; delivery and the admin's page read it under the system role.
    """

    organization_id = models.UUIDField(null=True, editable=False)
    recipients = models.JSONField()
    subject = models.CharField(max_length=500)
    sealed_message = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=500, default="")
    sent_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "outgoing mail"
        indexes = [
            models.Index(
                fields=["due_at"],
                name="outgoingmail_due",
                condition=models.Q(sent_at__isnull=True, failed_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return self.subject


class Change(models.Model):
    """One line of the change feed that keeps the caches of every process fresh.

    ``transaction_id`` is the writer's: numbers are given before commit, so a reader that remembered only
    the last id would miss a transaction that commits late.
    """

    id = models.BigAutoField(primary_key=True)
    organization_id = models.UUIDField(null=True, editable=False)
    kind = models.CharField(max_length=30)
    key = models.CharField(max_length=255)
    created_at = models.DateTimeField(db_default=Now())
    transaction_id = models.BigIntegerField(
        db_default=models.Func(
            template="(pg_current_xact_id()::text::bigint)", output_field=models.BigIntegerField()
        )
    )

    class Meta:
        indexes = [
            models.Index(fields=["transaction_id"], name="change_transaction"),
            models.Index(fields=["created_at"], name="change_created"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class IdempotencyKey(TenantModel):
    """The answer to a POST that carried an Idempotency-Key, written in the effect's own transaction.

    Either ``sealed_body`` holds the answer, or ``reference`` names the object that it is rebuilt from.
    """

    owner = models.CharField(max_length=64)
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(null=True)
    sealed_body = models.BinaryField(null=True)
    reference = models.CharField(max_length=64, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "owner", "key"], name="idempotencykey_key")
        ]
        # The purge works across organizations.
        indexes = [models.Index(fields=["expires_at"], name="idempotencykey_expiry")]

    def __str__(self) -> str:
        return self.key
