from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("providers", "0004_aliases_and_concurrency")]

    operations = [
        migrations.AddField(
            model_name="providercredential",
            name="offers_batches",
            field=models.BooleanField(null=True),
        ),
        migrations.AddField(
            model_name="priceoverride",
            name="batch_discount",
            field=models.DecimalField(decimal_places=2, max_digits=5, null=True),
        ),
        migrations.AddConstraint(
            model_name="priceoverride",
            constraint=models.CheckConstraint(
                condition=models.Q(batch_discount__isnull=True)
                | models.Q(batch_discount__gte=0, batch_discount__lte=100),
                name="price_override_discount_is_percent",
            ),
        ),
    ]
