"""Rows of alert rules and their history."""

from datetime import UTC, datetime, timedelta
from typing import Any

from apps.analytics.alerts.models import AlertEvent, AlertKind, AlertRule, AlertState, EventReason
from apps.core.models import TenantModel
from apps.core.scope import organization_scope
from apps.tenants.models import Project
from tests.factories.registry import numbers, tenant_factory


def make_alert_rule(*, project: Project, **values: Any) -> AlertRule:
    """A rule of a project: the error rate above 5 % of an hour, unless told otherwise."""
    given: dict[str, Any] = {
        "name": f"Rule {next(numbers)}",
        "kind": AlertKind.THRESHOLD,
        "metric": "error_rate",
        "value": "0.05",
        "state_since": datetime.now(UTC),
        "due_at": datetime.now(UTC) - timedelta(minutes=5),
    }
    with organization_scope(project.organization_id):
        made = AlertRule.objects.create(
            organization_id=project.organization_id, project=project, **given | values
        )
        made.refresh_from_db()
        return made


def make_alert_event(*, rule: AlertRule, **values: Any) -> AlertEvent:
    """A line of a rule's history: it fired."""
    given: dict[str, Any] = {
        "reason": EventReason.CHANGED,
        "from_state": AlertState.OK,
        "to_state": AlertState.ALERT,
        "value": "0.25",
        "sample": 80,
        "until": datetime.now(UTC),
    }
    with organization_scope(rule.organization_id):
        return AlertEvent.objects.create(organization_id=rule.organization_id, rule=rule, **given | values)


@tenant_factory("analytics.AlertRule")
def _alert_rule(project: Project) -> TenantModel:
    return make_alert_rule(project=project)


@tenant_factory("analytics.AlertEvent")
def _alert_event(project: Project) -> TenantModel:
    return make_alert_event(rule=make_alert_rule(project=project))
