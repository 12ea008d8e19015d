"""Archives of everything that an organization owns."""

from typing import ClassVar, Final
from uuid import UUID

from django.db import models
from django.db.models import Q

from apps.core.models import StoredFile, TenantModel


class ExportState(models.TextChoices):
    """How an export stands."""

    PENDING = "pending", "Waiting"
    RUNNING = "running", "Running"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"
    WITHDRAWN = "withdrawn", "Withdrawn"
    EXPIRED = "expired", "Expired"


UNDER_WAY: Final = (ExportState.PENDING, ExportState.RUNNING)


class OrganizationExport(TenantModel):
    """Somebody asked for an archive of everything; how far it is, and what is in it.

    `position` says where the work goes on and moves in the transaction that stores what was read before it.
    `counts` are rows by kind, `size` the bytes of the parts so far. `failures` counts attempts in a row that
    broke off.
    """

    PREFIX: ClassVar[str] = "oxp"

    state = models.CharField(max_length=9, choices=ExportState.choices, default=ExportState.PENDING)
    requested_by = models.ForeignKey(
        "tenants.User", on_delete=models.SET_NULL, null=True, blank=True, db_index=False, related_name="+"
    )
    requested_by_id: UUID | None
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    touched_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    position = models.JSONField(default=dict, blank=True)
    counts = models.JSONField(default=dict, blank=True)
    part_count = models.PositiveIntegerField(default=0)
    size = models.BigIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(default=0)

    class Meta(TenantModel.Meta):
        app_label = "retention"
        indexes = [
            models.Index(fields=["organization", "-id"], name="export_list"),
            # The sweeper works across organizations.
            models.Index(
                fields=["touched_at"],
                name="export_under_way",
                condition=Q(state__in=["pending", "running", "ready"]),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["organization"],
                condition=Q(state__in=["pending", "running"]),
                name="export_one_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def is_under_way(self) -> bool:
        """Whether it waits or runs."""
        return self.state in UNDER_WAY


class ExportPart(TenantModel):
    """One entry of an archive: its bytes as they stand in it, header included, are the stored file.

    Sizes are in bytes: `size` of the content, `compressed_size` of it in the archive, `entry_size` of the
    whole entry. `rows` is None for what isn't a table.
    """

    export = models.ForeignKey(OrganizationExport, on_delete=models.CASCADE, db_index=False, related_name="+")
    export_id: UUID
    # Files are deleted by whoever deletes files: expiry, retention, an erasure. The part is then lost too.
    file = models.ForeignKey(
        StoredFile, on_delete=models.CASCADE, db_constraint=False, db_index=True, related_name="+"
    )
    file_id: UUID
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=300)
    kind = models.CharField(max_length=40)
    rows = models.PositiveIntegerField(null=True)
    size = models.PositiveBigIntegerField()
    compressed_size = models.PositiveBigIntegerField()
    entry_size = models.PositiveBigIntegerField()
    crc32 = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)

    class Meta(TenantModel.Meta):
        app_label = "retention"
        constraints = [
            models.UniqueConstraint(fields=["organization", "export", "number"], name="export_part_number"),
        ]
        # For the foreign key's cascade, which knows only the export.
        indexes = [models.Index(fields=["export"], name="export_part_export")]

    def __str__(self) -> str:
        return self.name
