from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    # An index that is made without locking the table can't be made in a transaction.
    atomic = False

    dependencies = [("batches", "0012_streams")]

    operations = [
        AddIndexConcurrently(
            "batchjob",
            models.Index(
                condition=Q(stream_id__isnull=False),
                fields=["organization", "stream_id", "id"],
                name="batches_job_stream",
            ),
        ),
        AddIndexConcurrently(
            "batchitem",
            models.Index(
                condition=Q(answer_number__isnull=False),
                fields=["organization", "batch", "answer_number"],
                name="batches_item_answer",
            ),
        ),
    ]
