import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import apps.core.ids
from apps.core.row_security import Grant


class Migration(migrations.Migration):
    dependencies = [
        ("sessions", "0001_initial"),
        ("tenants", "0002_people_and_keys"),
    ]

    operations = [
        migrations.CreateModel(
            name="UserSession",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("ip", models.GenericIPAddressField(null=True)),
                ("user_agent", models.CharField(blank=True, max_length=400)),
                ("created_at", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField()),
                (
                    "session",
                    models.OneToOneField(
                        db_column="session_key",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="sessions.session",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.RunSQL(
            """
            ALTER TABLE tenants_usersession ADD CONSTRAINT usersession_session
                FOREIGN KEY (session_key) REFERENCES django_session (session_key)
                ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
            """,
            "ALTER TABLE tenants_usersession DROP CONSTRAINT usersession_session;",
        ),
        Grant("tenants_usersession"),
    ]
