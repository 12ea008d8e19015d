from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    # An index that is made without locking the table can't be made in a transaction.
    atomic = False

    dependencies = [("batches", "0004_control")]

    operations = [
        AddIndexConcurrently(
            "batchjob",
            models.Index(
                condition=Q(status__in=["scheduled", "paused"]),
                fields=["status", "organization"],
                name="batches_job_waiting",
            ),
        ),
        AddIndexConcurrently(
            "batchjob",
            models.Index(
                condition=Q(rerun_of_id__isnull=False),
                fields=["organization", "rerun_of_id"],
                name="batches_job_rerun",
            ),
        ),
        AddIndexConcurrently(
            "batchjob",
            models.Index(condition=Q(rerun_due=True), fields=["id"], name="batches_job_rerun_due"),
        ),
        AddIndexConcurrently(
            "batchitem",
            models.Index(
                condition=Q(input_digest__isnull=False, duplicate_of__isnull=True),
                fields=["organization", "batch", "input_digest"],
                name="batches_item_digest",
            ),
        ),
        AddIndexConcurrently(
            "batchitem",
            models.Index(
                condition=Q(status="pending", duplicate_of__isnull=False),
                fields=["organization", "batch", "duplicate_of"],
                name="batches_item_held",
            ),
        ),
    ]
