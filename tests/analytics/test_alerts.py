"""Alert rules on real roll-ups: looked at, told, once each; other organizations and broken rules aside."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.analytics.alerts import observing, services, watching
from apps.analytics.alerts.evaluation import Standing, advance
from apps.analytics.alerts.models import AlertEvent, AlertKind, AlertRule, AlertState, EventReason
from apps.analytics.alerts.replaying import would_have_fired
from apps.analytics.alerts.spec import RuleSpec, Scope, spec_of
from apps.analytics.models import Grain
from apps.audit.actor import SYSTEM
from apps.core.mail import message_text
from apps.core.models import OutboxMessage, OutgoingMail
from apps.core.scope import organization_scope, system_scope
from apps.tenants.models import Membership, Project
from apps.tenants.roles import Role
from tests.factories import (
    make_alert_rule,
    make_member,
    make_project,
    make_quota,
    make_rollup,
    make_segment,
    owner_of,
)

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture(autouse=True)
def _house_mail(settings: Any) -> None:
    settings.EMAIL_BACKEND = "apps.core.mail.OutboxBackend"


def member_of(project: Project, role: Role = Role.VIEWER) -> Membership:
    user = make_member(organization=project.organization, role=role)
    with organization_scope(project.organization_id):
        return Membership.objects.select_related("user").get(user=user)


def fill(project: Project, *, failed: int, requests: int = 100, ago: int = 1, **segment: Any) -> None:
    """Runs in the five minutes that begin `ago` steps before noon, in all grains that rules read."""
    starts_at = NOON - timedelta(minutes=5 * ago)
    made = make_segment(project=project, **segment)
    numbers = {"requests": requests, "failed": failed}
    make_rollup(segment=made, grain=Grain.FIVE_MINUTES, starts_at=starts_at, **numbers)
    make_rollup(segment=made, grain=Grain.HOUR, starts_at=starts_at.replace(minute=0), **numbers)


def look(project: Project, *, minutes: int = 2, rule: AlertRule | None = None) -> int:
    """The job, so many minutes after noon; what is due is that which the rule's own clock says."""
    if rule is not None:
        with organization_scope(project.organization_id):
            AlertRule.objects.filter(pk=rule.pk).update(due_at=NOON - timedelta(minutes=5))
    return watching.look_at_due_rules(NOON + timedelta(minutes=minutes))


def mails() -> list[tuple[str, list[str], str]]:
    with system_scope():
        rows = OutgoingMail.objects.order_by("id")
        return [(row.subject, row.recipients, message_text(row)) for row in rows]


def again(rule: AlertRule) -> AlertRule:
    with organization_scope(rule.organization_id):
        return AlertRule.objects.get(pk=rule.pk)


def events(rule: AlertRule) -> list[tuple[str, str, str, int]]:
    with organization_scope(rule.organization_id):
        found = AlertEvent.objects.filter(rule=rule).order_by("id")
        return [(each.reason, each.from_state, each.to_state, each.mails) for each in found]


def test_rule__beyond_its_limit__tells_each_member_once_and_hands_on() -> None:
    project = make_project()
    first, second = member_of(project), member_of(project)
    rule = make_alert_rule(
        project=project, name="Too many errors", recipients=[first.pk, second.pk], due_at=NOON
    )
    fill(project, failed=30)
    assert look(project) == 1
    rule = again(rule)
    assert (rule.state, str(rule.last_value), rule.last_sample) == ("alert", "0.3000000000", 100)
    assert rule.notified_at == rule.evaluated_until == NOON
    assert events(rule) == [("changed", "no_data", "alert", 2)]
    sent = mails()
    assert [to for _, to, _ in sent] == [[first.user.email], [second.user.email]]
    subject, _, text = sent[0]
    assert subject == f"Alert: Too many errors · {project.name}"
    for words in ("Error rate above 5", "Measured: 30", "of 100 calls", rule.public_id):
        assert words in text
    with system_scope():
        handed_on = OutboxMessage.objects.get(topic="alert.fired")
    assert handed_on.payload["alert"] == rule.public_id
    # The same moment is looked at once, and the next has the same to say.
    assert look(project) == 0
    assert look(project, minutes=7) == 1
    assert len(mails()) == 2
