from django.db import migrations, models
from django.db.models import Q

NAME = "credential_name_everywhere"


class Migration(migrations.Migration):
    # Without locking the table: an index that is made concurrently can't be made in a transaction.
    atomic = False

    dependencies = [
        ("providers", "0002_organization_wide_and_prices"),
    ]

    operations = [
        migrations.RunSQL(
            f"""
            CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS {NAME}
                ON providers_providercredential (organization_id, name) WHERE project_id IS NULL
            """,
            f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}",
            state_operations=[
                migrations.AddConstraint(
                    model_name="providercredential",
                    constraint=models.UniqueConstraint(
                        fields=("organization", "name"), name=NAME, condition=Q(project__isnull=True)
                    ),
                ),
            ],
        ),
    ]
