from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("batches", "0006_openai_batches")]

    operations = [
        migrations.AddField("batchjob", "held", models.PositiveIntegerField(db_default=0, default=0)),
        migrations.AddField(
            "batchjob", "rerun_choice", models.JSONField(blank=True, db_default={}, default=dict)
        ),
        migrations.AddField(
            "batchjob", "rerun_rule", models.JSONField(blank=True, db_default={}, default=dict)
        ),
        migrations.AddField("batchjob", "rerun_due", models.BooleanField(db_default=False, default=False)),
        migrations.AddField(
            "batchjob",
            "rerun_problem",
            models.CharField(blank=True, db_default="", default="", max_length=500),
        ),
        migrations.AddField("batchjob", "notify", models.BooleanField(db_default=False, default=False)),
    ]
