from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

NAME = "datasets_dataset_library_name"


class Migration(migrations.Migration):
    # An index that is made without locking the table can't be made in a transaction.
    atomic = False

    dependencies = [
        ("datasets", "0004_origin_and_import_jobs"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="dataset",
            index=models.Index(
                condition=Q(origin="library"),
                fields=["organization", "project", "-id"],
                name="datasets_dataset_library",
            ),
        ),
        migrations.RunSQL(
            f"""
            CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS {NAME}
                ON datasets_dataset (project_id, name) WHERE origin = 'library'
            """,
            f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}",
            state_operations=[
                migrations.AddConstraint(
                    model_name="dataset",
                    constraint=models.UniqueConstraint(
                        condition=Q(origin="library"), fields=("project", "name"), name=NAME
                    ),
                ),
            ],
        ),
        migrations.RemoveConstraint(model_name="dataset", name="datasets_dataset_name_unique"),
        RemoveIndexConcurrently(model_name="dataset", name="datasets_dataset_list"),
        AddIndexConcurrently(
            model_name="dataset",
            index=models.Index(
                condition=~Q(origin="library"), fields=["created_at"], name="datasets_dataset_hidden"
            ),
        ),
        AddIndexConcurrently(
            model_name="datasetimport",
            index=models.Index(
                condition=Q(state__in=["reading", "importing"]),
                fields=["touched_at"],
                name="datasets_import_under_way",
            ),
        ),
    ]
