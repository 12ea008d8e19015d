from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("batches", "0007_provider_batches")]

    operations = [
        AddIndexConcurrently(
            model_name="batchitem",
            index=models.Index(
                condition=models.Q(("provider_batch_id__isnull", False), ("status", "running")),
                fields=["organization", "provider_batch_id", "number"],
                name="batches_item_at_provider",
            ),
        ),
        AddIndexConcurrently(
            model_name="batchitem",
            index=models.Index(
                condition=models.Q(("direct", True), ("status__in", ["pending", "running"])),
                fields=["organization", "batch", "number"],
                name="batches_item_direct",
            ),
        ),
    ]
