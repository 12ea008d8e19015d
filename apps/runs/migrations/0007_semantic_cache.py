import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import apps.core.ids
import apps.runs.vector_fields
from apps.core.row_security import TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("runs", "0006_background"),
    ]

    operations = [
        # The table stands on types of Postgres itself. Whoever may not make the extension, or does not have it,
        # has a table without rows: see decision 26.
        migrations.RunSQL(
            """
            DO $$
            BEGIN
              IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') THEN
                CREATE EXTENSION IF NOT EXISTS vector;
              END IF;
            EXCEPTION WHEN insufficient_privilege THEN
              RAISE NOTICE 'The extension vector is for a superuser to create; the semantic cache is off.';
            END
            $$;
            """,
            migrations.RunSQL.noop,
        ),
        migrations.CreateModel(
            name="CacheEntry",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("prompt_id", models.UUIDField(null=True)),
                ("version_id", models.UUIDField(null=True)),
                ("run_id", models.UUIDField()),
                ("scope_hash", models.BinaryField(max_length=32)),
                (
                    "embedding",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=apps.runs.vector_fields.RealField(), size=None
                    ),
                ),
                ("signature", apps.runs.vector_fields.BitStringField()),
                ("sealed", models.BinaryField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("expires_at", models.DateTimeField()),
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
                "verbose_name_plural": "cache entries",
                "abstract": False,
                "indexes": [
                    models.Index(fields=["organization", "scope_hash", "-id"], name="cacheentry_scope"),
                    models.Index(fields=["organization", "project", "id"], name="cacheentry_project"),
                    models.Index(fields=["expires_at"], name="cacheentry_expiry"),
                ],
            },
        ),
        # Foreign-key checks pass row security, so this one names the organization as well. Embeddings don't
        # get smaller by compression: it would only be tried in vain.
        migrations.RunSQL(
            """
            ALTER TABLE runs_cacheentry ADD CONSTRAINT cacheentry_project_of_organization
                FOREIGN KEY (organization_id, project_id) REFERENCES tenants_project (organization_id, id)
                DEFERRABLE INITIALLY DEFERRED;
            ALTER TABLE runs_cacheentry ALTER COLUMN embedding SET STORAGE EXTERNAL;
            """,
            "ALTER TABLE runs_cacheentry DROP CONSTRAINT cacheentry_project_of_organization;",
        ),
        TenantTable("runs_cacheentry"),
    ]
