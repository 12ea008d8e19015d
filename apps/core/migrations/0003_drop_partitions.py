from django.db import migrations

from apps.core.partitions import DROP_FUNCTION, NO_DROP_FUNCTION


class Migration(migrations.Migration):
    dependencies = [("core", "0002_mail_of_organization")]

    operations = [migrations.RunSQL(DROP_FUNCTION, NO_DROP_FUNCTION)]
