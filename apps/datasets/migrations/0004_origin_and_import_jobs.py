from django.db import migrations, models

ORIGINS = [("library", "Library"), ("batch", "Rows of a batch"), ("import", "Import under way")]
STATES = [
    ("reading", "Reading"),
    ("waiting", "Waiting for its mapping"),
    ("importing", "Importing"),
    ("imported", "Imported"),
    ("failed", "Failed"),
]


def _text(length: int) -> models.CharField:
    return models.CharField(blank=True, db_default="", default="", max_length=length)


class Migration(migrations.Migration):
    dependencies = [
        ("datasets", "0003_rows_deleted"),
    ]

    operations = [
        migrations.AddField(
            model_name="dataset",
            name="origin",
            field=models.CharField(choices=ORIGINS, db_default="library", default="library", max_length=8),
        ),
        migrations.AddField(
            model_name="datasetimport",
            name="state",
            field=models.CharField(choices=STATES, db_default="waiting", default="waiting", max_length=10),
        ),
        migrations.AddField(
            model_name="datasetimport",
            name="variables",
            field=models.JSONField(blank=True, db_default=[], default=list),
        ),
        migrations.AddField(model_name="datasetimport", name="dataset_name", field=_text(120)),
        migrations.AddField(
            model_name="datasetimport",
            name="staged_version_id",
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="datasetimport",
            name="rows_written",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="datasetimport",
            name="bytes_read",
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(model_name="datasetimport", name="error_code", field=_text(64)),
        migrations.AddField(model_name="datasetimport", name="error_message", field=_text(500)),
        migrations.AddField(model_name="datasetimport", name="started_by_kind", field=_text(10)),
        migrations.AddField(
            model_name="datasetimport",
            name="started_by_id",
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AddField(model_name="datasetimport", name="started_by_name", field=_text(254)),
        migrations.AddField(
            model_name="datasetimport",
            name="failures",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="datasetimport",
            name="touched_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
