import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import apps.core.ids
from apps.core.row_security import TenantTable


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenants", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProviderCredential",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.SlugField(db_index=False, max_length=40)),
                ("base_url", models.URLField(max_length=500)),
                ("sealed_key", models.BinaryField(null=True)),
                ("sealed_headers", models.BinaryField(null=True)),
                (
                    "header_names",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=100), default=list, size=None
                    ),
                ),
                ("key_hint", models.CharField(blank=True, max_length=4)),
                (
                    "model_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=200), default=list, size=None
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("tested_at", models.DateTimeField(null=True)),
                ("test_passed", models.BooleanField(null=True)),
                ("test_message", models.CharField(blank=True, max_length=500)),
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
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "project", "name"), name="credential_name"
                    )
                ],
            },
        ),
        # Foreign-key checks pass row security, so this one names the organization as well.
        migrations.RunSQL(
            """
            ALTER TABLE providers_providercredential ADD CONSTRAINT credential_project_of_organization
                FOREIGN KEY (organization_id, project_id) REFERENCES tenants_project (organization_id, id)
                DEFERRABLE INITIALLY DEFERRED;
            """,
            "ALTER TABLE providers_providercredential DROP CONSTRAINT credential_project_of_organization",
        ),
        TenantTable("providers_providercredential"),
    ]
