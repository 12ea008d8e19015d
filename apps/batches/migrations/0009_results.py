from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("batches", "0005_control_indexes")]

    operations = [
        migrations.AddField(
            model_name="batchjob",
            name="failure_groups",
            field=models.JSONField(blank=True, db_default=[], default=list),
        ),
        AddIndexConcurrently(
            model_name="batchitem",
            index=models.Index(
                fields=["organization", "batch", "number"],
                name="batches_item_failed_order",
                condition=Q(status="failed"),
            ),
        ),
        AddIndexConcurrently(
            model_name="batchitem",
            index=models.Index(
                fields=["organization", "batch", "number"],
                name="batches_item_differs",
                condition=Q(matches=False),
            ),
        ),
    ]
