from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("batches", "0010_row_preparations")]

    operations = [
        migrations.AddField(
            model_name="pump",
            name="paces",
            field=models.JSONField(db_default={}, default=dict),
        )
    ]
