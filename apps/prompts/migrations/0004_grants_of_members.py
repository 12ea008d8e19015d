from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("prompts", "0003_drafts_tools_tags_grants"),
        ("tenants", "0003_user_session"),
    ]

    operations = [
        # Only a member holds a grant: it goes with the membership, whoever ends that.
        migrations.RunSQL(
            """
            ALTER TABLE prompts_promptuserobjectpermission ADD CONSTRAINT grant_prompt_of_member
                FOREIGN KEY (organization_id, user_id) REFERENCES tenants_membership (organization_id, user_id)
                ON DELETE CASCADE;
            """,
            """
            ALTER TABLE prompts_promptuserobjectpermission DROP CONSTRAINT grant_prompt_of_member;
            """,
        ),
    ]
