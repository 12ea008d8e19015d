"""The ledger of usage, and the quotas that admission draws allowance from."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from apps.core.models import TenantModel


class UsageEvent(TenantModel):
    """One metered fact, append-only and partitioned by week of its id.

    The source is named by plain ids, so billing knows no room above it; nothing has a foreign key to this
    table. `lease_id` is the allowance lease that admitted the run, None when the meter has no quota.
    """

    PREFIX: ClassVar[str] = "use"

    # Without the database constraint: a key-share lock on the organization's row for each event
    # would make all writers of one organization queue.
    organization = models.ForeignKey(
        "tenants.Organization",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        editable=False,
    )
    meter = models.CharField(max_length=40)
    quantity = models.DecimalField(max_digits=20, decimal_places=6)
    key = models.CharField(max_length=255)
    project_id = models.UUIDField(null=True)
    source_kind = models.CharField(max_length=40)
    source_id = models.UUIDField()
    lease_id = models.UUIDField(null=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["organization", "meter", "id"], name="usageevent_meter")]

    def __str__(self) -> str:
        return f"{self.quantity} {self.meter}"


class UsageKey(TenantModel):
    """De-duplication of usage for ever: a key counts once in an organization. `id` is the event's id.

    A plain table, because a partitioned one can't hold a unique key without its partition column.
    """

    organization = models.ForeignKey(
        "tenants.Organization",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        editable=False,
    )
    key = models.CharField(max_length=255)
    content_hash = models.BinaryField()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "key"], name="usagekey_once")]

    def __str__(self) -> str:
        return self.key


class Quota(TenantModel):
    """What an organization may use of a meter in one calendar month of UTC.

    `used` counts what closed leases have recorded, `reserved` what open leases hold: the two together
    never pass `cap`, which the database checks as well.
    """

    meter = models.CharField(max_length=40)
    period_start = models.DateTimeField()
    cap = models.BigIntegerField()
    used = models.BigIntegerField(db_default=0, default=0)
    reserved = models.BigIntegerField(db_default=0, default=0)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "meter", "period_start"], name="quota_once"),
            models.CheckConstraint(condition=models.Q(reserved__gte=0), name="quota_reserved"),
        ]

    def __str__(self) -> str:
        return f"{self.meter} from {self.period_start:%Y-%m-%d}"


class AllowanceLease(TenantModel):
    """A piece of a quota that one process spends from memory.

    Closing it counts the events that were recorded under it into `Quota.used` and gives the rest back.
    `counted` is how many that were; a lease that expired is counted again later, since a slow process
    may still have recorded under it.
    """

    quota = models.ForeignKey(Quota, on_delete=models.CASCADE, db_index=False, related_name="+")
    holder = models.CharField(max_length=80)
    amount = models.BigIntegerField()
    counted = models.BigIntegerField(db_default=0, default=0)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    expired = models.BooleanField(db_default=False, default=False)

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["organization", "quota"], name="lease_quota"),
            models.Index(
                fields=["expires_at"], condition=models.Q(closed_at__isnull=True), name="lease_open_expiry"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} held by {self.holder}"
