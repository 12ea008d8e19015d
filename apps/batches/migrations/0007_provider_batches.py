import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import apps.core.ids
from apps.core.row_security import TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("batches", "0009_results"),
        ("tenants", "0007_webhooks_and_limits"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProviderBatch",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("variant", models.PositiveSmallIntegerField(default=0)),
                ("connection_id", models.UUIDField(blank=True, null=True)),
                ("connection", models.CharField(max_length=40)),
                ("model", models.CharField(max_length=255)),
                ("kind", models.CharField(blank=True, max_length=255)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("preparing", "Preparing"),
                            ("uploading", "Sending"),
                            ("submitted", "Accepted by the provider"),
                            ("in_progress", "At the provider"),
                            ("fetching", "Fetching answers"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="preparing",
                        max_length=12,
                    ),
                ),
                ("upload_id", models.CharField(blank=True, max_length=200)),
                ("external_id", models.CharField(blank=True, max_length=200)),
                ("found_by_size", models.BooleanField(default=False)),
                (
                    "not_ours",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=200), blank=True, default=list, size=None
                    ),
                ),
                ("allowance_id", models.UUIDField(blank=True, null=True)),
                ("first_number", models.PositiveIntegerField(blank=True, null=True)),
                ("last_number", models.PositiveIntegerField(blank=True, null=True)),
                ("requests", models.PositiveIntegerField(default=0)),
                ("size", models.PositiveBigIntegerField(default=0)),
                ("answered", models.PositiveIntegerField(default=0)),
                ("failed", models.PositiveIntegerField(default=0)),
                ("recorded", models.PositiveIntegerField(default=0)),
                ("returned", models.PositiveIntegerField(default=0)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("error_code", models.CharField(blank=True, max_length=64)),
                ("error_message", models.CharField(blank=True, max_length=500)),
                ("next_step_at", models.DateTimeField(blank=True, null=True)),
                ("rung_at", models.DateTimeField(blank=True, null=True)),
                ("worker", models.UUIDField(blank=True, null=True)),
                ("worker_until", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("create_sent_at", models.DateTimeField(blank=True, null=True)),
                ("submitted_at", models.DateTimeField(blank=True, null=True)),
                ("cancel_sent_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("tidied_at", models.DateTimeField(blank=True, null=True)),
                (
                    "batch",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="batches.batchjob",
                    ),
                ),
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
        migrations.AddIndex(
            model_name="providerbatch",
            index=models.Index(fields=["organization", "batch", "id"], name="batches_provider_job"),
        ),
        migrations.AddIndex(
            model_name="providerbatch",
            index=models.Index(
                condition=models.Q(("next_step_at__isnull", False)),
                fields=["next_step_at"],
                name="batches_provider_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="providerbatch",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "preparing")),
                fields=("organization", "batch", "variant"),
                name="batches_provider_preparing",
            ),
        ),
        migrations.AddConstraint(
            model_name="providerbatch",
            constraint=models.UniqueConstraint(
                condition=models.Q(("external_id", ""), _negated=True),
                fields=("organization", "connection_id", "external_id"),
                name="batches_provider_external",
            ),
        ),
        # Foreign-key checks pass row security, so this one names the organization as well.
        migrations.RunSQL(
            """
            ALTER TABLE batches_providerbatch ADD CONSTRAINT batches_provider_job_of
                FOREIGN KEY (organization_id, batch_id) REFERENCES batches_batchjob (organization_id, id)
                DEFERRABLE INITIALLY DEFERRED;
            """,
            "ALTER TABLE batches_providerbatch DROP CONSTRAINT batches_provider_job_of;",
        ),
        TenantTable("batches_providerbatch"),
    ]
