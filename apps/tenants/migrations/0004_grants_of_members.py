from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0003_user_session"),
    ]

    operations = [
        # Only a member holds a grant: it goes with the membership, whoever ends that.
        migrations.RunSQL(
            """
            ALTER TABLE tenants_projectuserobjectpermission ADD CONSTRAINT grant_project_of_member
                FOREIGN KEY (organization_id, user_id) REFERENCES tenants_membership (organization_id, user_id)
                ON DELETE CASCADE;
            """,
            """
            ALTER TABLE tenants_projectuserobjectpermission DROP CONSTRAINT grant_project_of_member;
            """,
        ),
    ]
