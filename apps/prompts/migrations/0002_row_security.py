"""Fences, grants and the composite keys that hold a prompt's rows together.

Foreign-key checks pass row security, so each key below names the organization as well; a label's also
names the prompt, so a label cannot point at another prompt's version.
"""

from typing import ClassVar

from django.db import migrations

from apps.core.row_security import TenantTable

COMPOSITE_KEYS = """
    ALTER TABLE prompts_prompt ADD CONSTRAINT prompt_project_of_organization
        FOREIGN KEY (organization_id, project_id) REFERENCES tenants_project (organization_id, id)
        DEFERRABLE INITIALLY DEFERRED;
    ALTER TABLE prompts_promptversion ADD CONSTRAINT version_prompt_of_organization
        FOREIGN KEY (organization_id, prompt_id) REFERENCES prompts_prompt (organization_id, id)
        DEFERRABLE INITIALLY DEFERRED;
    ALTER TABLE prompts_label ADD CONSTRAINT label_version_of_prompt
        FOREIGN KEY (organization_id, prompt_id, version_id)
        REFERENCES prompts_promptversion (organization_id, prompt_id, id)
        DEFERRABLE INITIALLY DEFERRED;
    ALTER TABLE prompts_labelmove ADD CONSTRAINT label_move_prompt_of_organization
        FOREIGN KEY (organization_id, prompt_id) REFERENCES prompts_prompt (organization_id, id)
        DEFERRABLE INITIALLY DEFERRED;
"""
DROP_COMPOSITE_KEYS = """
    ALTER TABLE prompts_labelmove DROP CONSTRAINT label_move_prompt_of_organization;
    ALTER TABLE prompts_label DROP CONSTRAINT label_version_of_prompt;
    ALTER TABLE prompts_promptversion DROP CONSTRAINT version_prompt_of_organization;
    ALTER TABLE prompts_prompt DROP CONSTRAINT prompt_project_of_organization;
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("prompts", "0001_initial"), ("tenants", "0001_initial")]

    operations: ClassVar = [
        migrations.RunSQL(COMPOSITE_KEYS, DROP_COMPOSITE_KEYS),
        TenantTable("prompts_prompt", app="SELECT, INSERT, UPDATE", system="SELECT, INSERT, UPDATE, DELETE"),
        # Versions and label moves are history: nothing may change them.
        TenantTable("prompts_promptversion", app="SELECT, INSERT", system="SELECT, INSERT"),
        TenantTable("prompts_label"),
        TenantTable("prompts_labelmove", app="SELECT, INSERT", system="SELECT, INSERT"),
    ]
