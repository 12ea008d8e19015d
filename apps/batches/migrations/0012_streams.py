import django.db.models.deletion
from django.db import migrations, models

import apps.core.ids
from apps.core.row_security import TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("batches", "0011_pump_paces"),
        ("tenants", "0007_webhooks_and_limits"),
    ]

    operations = [
        migrations.AddField("batchjob", "stream_id", models.UUIDField(blank=True, null=True)),
        migrations.AddField("batchjob", "answered", models.PositiveIntegerField(db_default=0, default=0)),
        migrations.AddField("batchitem", "answer_number", models.PositiveIntegerField(blank=True, null=True)),
        migrations.CreateModel(
            name="Stream",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=64)),
                ("prompt_name", models.CharField(max_length=255)),
                ("options", models.JSONField(default=dict)),
                ("livemode", models.BooleanField()),
                ("part_id", models.UUIDField(blank=True, null=True)),
                ("told_part_id", models.UUIDField(blank=True, null=True)),
                ("told_through", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
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
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.project",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(fields=["organization", "project", "-id"], name="batches_stream_list")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("project", "name"), name="batches_stream_name_unique")
                ],
            },
        ),
        migrations.RunSQL(
            """
            ALTER TABLE batches_stream ADD CONSTRAINT batches_stream_project
                FOREIGN KEY (organization_id, project_id) REFERENCES tenants_project (organization_id, id)
                DEFERRABLE INITIALLY DEFERRED;
            """,
            "ALTER TABLE batches_stream DROP CONSTRAINT batches_stream_project;",
        ),
        TenantTable("batches_stream"),
    ]
