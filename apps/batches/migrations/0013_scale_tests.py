from decimal import Decimal

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

import apps.core.ids
from apps.core.row_security import TenantTable


def own_id():
    return models.UUIDField(default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False)


def to(model, name="+", **more):
    cascade = django.db.models.deletion.CASCADE
    return models.ForeignKey(db_index=False, on_delete=cascade, related_name=name, to=model, **more)


class Migration(migrations.Migration):
    dependencies = [
        ("batches", "0012_stream_indexes"),
        ("tenants", "0007_webhooks_and_limits"),
    ]

    operations = [
        migrations.CreateModel(
            name="ScaleTest",
            fields=[
                ("id", own_id()),
                ("name", models.CharField(max_length=120)),
                ("prompt_name", models.CharField(max_length=255)),
                ("version_number", models.PositiveIntegerField()),
                ("label", models.CharField(blank=True, max_length=64)),
                ("dataset_version_id", models.UUIDField()),
                ("dataset_name", models.CharField(max_length=120)),
                ("dataset_rows", models.PositiveIntegerField()),
                ("model", models.CharField(max_length=255)),
                ("concurrency", models.PositiveSmallIntegerField()),
                ("livemode", models.BooleanField()),
                ("sandbox", models.BooleanField()),
                ("api_key_id", models.UUIDField(blank=True, null=True)),
                ("cost_cap", models.DecimalField(blank=True, decimal_places=10, max_digits=20, null=True)),
                ("estimate", models.JSONField(default=dict)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("in_progress", "Running"),
                            ("cancelling", "Stopping"),
                            ("completed", "Finished"),
                            ("cancelled", "Stopped"),
                            ("failed", "Failed"),
                        ],
                        default="in_progress",
                        max_length=16,
                    ),
                ),
                ("stop_reason", models.CharField(blank=True, max_length=16)),
                ("problem", models.CharField(blank=True, max_length=500)),
                ("started_by_kind", models.CharField(max_length=10)),
                ("started_by_id", models.UUIDField(blank=True, null=True)),
                ("started_by_name", models.CharField(blank=True, max_length=254)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("completed_at", models.DateTimeField(blank=True, null=True)),
                ("organization", to("tenants.organization", editable=False)),
                ("project", to("tenants.project")),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(fields=["organization", "project", "-id"], name="batches_scale_test_list"),
                    models.Index(
                        condition=Q(status__in=["in_progress", "cancelling"]),
                        fields=["status"],
                        name="batches_scale_test_open",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "id"), name="batches_scale_test_organization_id"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ScaleTestStep",
            fields=[
                ("id", own_id()),
                ("position", models.PositiveSmallIntegerField()),
                ("rows", models.PositiveIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Waiting"),
                            ("running", "Running"),
                            ("completed", "Finished"),
                            ("cancelled", "Stopped"),
                        ],
                        default="pending",
                        max_length=10,
                    ),
                ),
                ("batch_id", models.UUIDField(blank=True, null=True)),
                ("succeeded", models.PositiveIntegerField(default=0)),
                ("failed", models.PositiveIntegerField(default=0)),
                ("seconds", models.FloatField(blank=True, null=True)),
                ("latency_p50", models.FloatField(blank=True, null=True)),
                ("latency_p95", models.FloatField(blank=True, null=True)),
                ("latency_p99", models.FloatField(blank=True, null=True)),
                ("input_tokens", models.PositiveBigIntegerField(default=0)),
                ("output_tokens", models.PositiveBigIntegerField(default=0)),
                ("cost_used", models.DecimalField(decimal_places=10, default=Decimal(0), max_digits=20)),
                ("cost_unknown", models.PositiveIntegerField(default=0)),
                ("organization", to("tenants.organization", editable=False)),
                ("scale_test", to("batches.scaletest", "steps", db_constraint=False)),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(fields=["organization", "batch_id"], name="batches_scale_step_batch"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "scale_test", "position"), name="batches_scale_step_position"
                    ),
                ],
            },
        ),
        migrations.RunSQL(
            """
            ALTER TABLE batches_scaletest ADD CONSTRAINT batches_scale_test_project
                FOREIGN KEY (organization_id, project_id) REFERENCES tenants_project (organization_id, id)
                DEFERRABLE INITIALLY DEFERRED;
            ALTER TABLE batches_scaleteststep ADD CONSTRAINT batches_scale_step_test
                FOREIGN KEY (organization_id, scale_test_id) REFERENCES batches_scaletest (organization_id, id)
                DEFERRABLE INITIALLY DEFERRED;
            """,
            """
            ALTER TABLE batches_scaleteststep DROP CONSTRAINT batches_scale_step_test;
            ALTER TABLE batches_scaletest DROP CONSTRAINT batches_scale_test_project;
            """,
        ),
        TenantTable("batches_scaletest"),
        TenantTable("batches_scaleteststep"),
    ]
