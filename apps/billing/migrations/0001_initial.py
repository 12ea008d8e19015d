import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import apps.core.ids
from apps.core.partitions import CreatePartitionedModel
from apps.core.row_security import TenantTable


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenants", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Quota",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("meter", models.CharField(max_length=40)),
                ("period_start", models.DateTimeField()),
                ("cap", models.BigIntegerField()),
                ("used", models.BigIntegerField(db_default=0, default=0)),
                ("reserved", models.BigIntegerField(db_default=0, default=0)),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="AllowanceLease",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("holder", models.CharField(max_length=80)),
                ("amount", models.BigIntegerField()),
                ("counted", models.BigIntegerField(db_default=0, default=0)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("expires_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
                ("expired", models.BooleanField(db_default=False, default=False)),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "quota",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="billing.quota",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        CreatePartitionedModel(
            name="UsageEvent",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("meter", models.CharField(max_length=40)),
                ("quantity", models.DecimalField(decimal_places=6, max_digits=20)),
                ("key", models.CharField(max_length=255)),
                ("project_id", models.UUIDField(null=True)),
                ("source_kind", models.CharField(max_length=40)),
                ("source_id", models.UUIDField()),
                ("lease_id", models.UUIDField(null=True)),
                ("occurred_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="UsageKey",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key", models.CharField(max_length=255)),
                ("content_hash", models.BinaryField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddConstraint(
            model_name="quota",
            constraint=models.UniqueConstraint(
                fields=("organization", "meter", "period_start"), name="quota_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="quota",
            constraint=models.CheckConstraint(
                condition=models.Q(("reserved__gte", 0)), name="quota_reserved"
            ),
        ),
        migrations.AddIndex(
            model_name="allowancelease",
            index=models.Index(fields=["organization", "quota"], name="lease_quota"),
        ),
        migrations.AddIndex(
            model_name="allowancelease",
            index=models.Index(
                condition=models.Q(("closed_at__isnull", True)),
                fields=["expires_at"],
                name="lease_open_expiry",
            ),
        ),
        migrations.AddIndex(
            model_name="usageevent",
            index=models.Index(fields=["organization", "meter", "id"], name="usageevent_meter"),
        ),
        migrations.AddConstraint(
            model_name="usagekey",
            constraint=models.UniqueConstraint(fields=("organization", "key"), name="usagekey_once"),
        ),
        TenantTable("billing_usageevent", app="SELECT, INSERT", system="SELECT, INSERT"),
        TenantTable("billing_usagekey", app="SELECT, INSERT", system="SELECT, INSERT"),
        # The allowance book works under the system role; a change of plan works inside the organization.
        TenantTable("billing_quota", app="SELECT, INSERT, UPDATE", system="SELECT, INSERT, UPDATE, DELETE"),
        TenantTable("billing_allowancelease", app="SELECT, INSERT", system="SELECT, INSERT, UPDATE, DELETE"),
    ]
