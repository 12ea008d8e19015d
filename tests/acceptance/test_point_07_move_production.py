"""Point 7: moving production shows from → to, diff, reason and cache delay; it stands in the label history,
the audit log and the outbox that webhooks read; rolling back is one confirmation."""

import pytest

from apps.audit.models import AuditEvent
from apps.core.models import OutboxMessage
from apps.core.scope import organization_scope, system_scope
from apps.prompts.models import Prompt
from apps.tenants.models import Project
from tests.factories import make_project, make_prompt
from tests.prompts.web_support import Web, labels, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def prompt(project: Project) -> Prompt:
    return make_prompt(project=project, name="reply", versions=3, labels={"production": 1})


def test_point_07__dialog__shows_from_to_diff_reason_and_delay(project: Project, prompt: Prompt) -> None:
    _, html = Web(project).get(f"{prompt.public_id}/labels/move/", label="production", to=3)
    text = words(html)
    assert "Move production to v3" in text
    assert "Now v1" in text
    assert "After v3" in text
    assert "User message changes" in text
    assert "Gateways serve v3 within a second" in text
    assert 'name="reason"' in html


def test_point_07__move__is_in_history_audit_log_and_outbox(project: Project, prompt: Prompt) -> None:
    web = Web(project)
    form = {"label": "production", "number": "3", "expected": "1", "reason": "Agreed on Thursday"}
    assert web.post(f"{prompt.public_id}/labels/move/", form)[0] == 302
    assert labels(prompt) == {"production": 3}
    text = words(web.get(f"{prompt.public_id}/labels/")[1])
    assert "v1 → v3" in text
    assert "Agreed on Thursday" in text
    with organization_scope(project.organization_id):
        event = AuditEvent.objects.filter(action="label.moved").latest("id")
        assert event.changes["version"] == [1, 3]
        assert event.object_name == "reply@production"
    with system_scope():
        payload = OutboxMessage.objects.filter(topic="prompt.label.moved").latest("created_at").payload
    assert (payload["from_version"], payload["to_version"], payload["label"]) == (1, 3, "production")


def test_point_07__rollback__is_one_confirmation(project: Project, prompt: Prompt) -> None:
    web = Web(project)
    form = {"label": "production", "number": "3", "expected": "1"}
    web.post(f"{prompt.public_id}/labels/move/", form)
    address = f"{prompt.public_id}/labels/production/rollback/"
    assert address in web.get(f"{prompt.public_id}/")[1]
    text = words(web.get(address)[1])
    assert "Roll production back to v1?" in text
    assert "User message changes" in text
    assert web.post(address, {"expected": "3", "reason": "Too kind"})[0] == 302
    assert labels(prompt) == {"production": 1}
