from django.db import migrations, models

import apps.core.ids
from apps.core.row_security import TenantTable

# An event may go once it is sealed and a cut covers its seal; nobody changes one, and seals never go.
TRIGGERS = """
CREATE FUNCTION audit_refuse_uncut_event() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    IF TG_OP = 'DELETE' AND EXISTS (
        SELECT FROM audit_auditseal AS seal JOIN audit_auditcut AS cut
            ON cut.organization_id IS NOT DISTINCT FROM seal.organization_id AND seal.sequence <= cut.sequence
        WHERE seal.event_id = OLD.id
    ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END
$body$;
DROP TRIGGER append_only ON audit_auditevent;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_auditevent
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_uncut_event();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_auditcut
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON audit_auditcut
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
GRANT DELETE ON audit_auditevent TO promptsaas_system;
"""
BACK = """
REVOKE DELETE ON audit_auditevent FROM promptsaas_system;
DROP TRIGGER append_only ON audit_auditevent;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_auditevent
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
DROP TRIGGER append_only ON audit_auditcut;
DROP TRIGGER append_only_truncate ON audit_auditcut;
DROP FUNCTION audit_refuse_uncut_event();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_event_action")]

    operations = [
        migrations.CreateModel(
            name="AuditCut",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("organization_id", models.UUIDField(editable=False, null=True)),
                ("sequence", models.BigIntegerField()),
                ("hash", models.BinaryField(max_length=32)),
                ("mac", models.BinaryField(max_length=32)),
                ("cut_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "indexes": [models.Index(fields=["organization_id", "-sequence"], name="auditcut_chain")],
            },
        ),
        TenantTable("audit_auditcut", app="SELECT", system="SELECT, INSERT"),
        migrations.RunSQL(TRIGGERS, BACK),
    ]
