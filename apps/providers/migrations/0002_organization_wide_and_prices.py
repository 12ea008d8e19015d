import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models
from django.db.models import F, Q

import apps.core.ids
from apps.core.row_security import TenantTable


def key():
    return models.UUIDField(default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False)


def organization():
    return models.ForeignKey(
        db_index=False,
        editable=False,
        on_delete=django.db.models.deletion.CASCADE,
        related_name="+",
        to="tenants.organization",
    )


def project(**more):
    return models.ForeignKey(
        db_index=False,
        on_delete=django.db.models.deletion.CASCADE,
        related_name="+",
        to="tenants.project",
        **more,
    )


# Foreign-key checks pass row security, so these name the organization as well.
OF_ORGANIZATION = """
    ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (organization_id, project_id)
        REFERENCES tenants_project (organization_id, id) DEFERRABLE INITIALLY DEFERRED;
"""


def of_organization(table, name):
    return migrations.RunSQL(
        OF_ORGANIZATION.format(table=table, name=name), f"ALTER TABLE {table} DROP CONSTRAINT {name}"
    )


class Migration(migrations.Migration):
    dependencies = [
        ("providers", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="providercredential",
            name="api",
            field=models.CharField(
                choices=[("openai", "OpenAI-compatible"), ("anthropic", "Anthropic")],
                default="openai",
                db_default="openai",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="providercredential",
            name="listed_models",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=200), default=list, db_default=[], size=None
            ),
        ),
        migrations.AlterField(
            model_name="providercredential", name="project", field=project(null=True, blank=True)
        ),
        migrations.CreateModel(
            name="DefaultModel",
            fields=[
                ("id", key()),
                ("reference", models.CharField(max_length=255)),
                ("organization", organization()),
                ("project", project()),
            ],
            options={
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "project"), name="default_model_project")
                ],
            },
        ),
        of_organization("providers_defaultmodel", "default_model_project_of_organization"),
        TenantTable("providers_defaultmodel"),
        migrations.CreateModel(
            name="PriceOverride",
            fields=[
                ("id", key()),
                ("pattern", models.CharField(max_length=255)),
                ("input_price", models.DecimalField(decimal_places=6, max_digits=14)),
                ("output_price", models.DecimalField(decimal_places=6, max_digits=14)),
                ("cached_input_price", models.DecimalField(decimal_places=6, max_digits=14, null=True)),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("organization", organization()),
                ("project", project(null=True, blank=True)),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(fields=["organization", "project", "-id"], name="price_override_project")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(input_price__gte=0)
                        & Q(output_price__gte=0)
                        & (Q(cached_input_price__isnull=True) | Q(cached_input_price__gte=0)),
                        name="price_override_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=Q(ends_at__isnull=True) | Q(ends_at__gte=F("starts_at")),
                        name="price_override_ends_after_start",
                    ),
                ],
            },
        ),
        of_organization("providers_priceoverride", "price_override_project_of_organization"),
        TenantTable("providers_priceoverride"),
    ]
