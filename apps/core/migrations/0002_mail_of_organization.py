from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="outgoingmail",
            name="organization_id",
            field=models.UUIDField(editable=False, null=True),
        ),
    ]
