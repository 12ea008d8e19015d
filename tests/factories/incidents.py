"""Rows of incidents."""

from datetime import UTC, datetime, timedelta
from typing import Any

from apps.analytics.models import DegradationSetting, Incident
from apps.core import ids
from apps.core.models import TenantModel
from apps.core.scope import organization_scope
from apps.tenants.models import Project
from tests.factories.registry import tenant_factory


def make_incident(*, project: Project, **values: Any) -> Incident:
    """An open incident: the error rate of a version doubled half an hour ago, unless told otherwise."""
    now = datetime.now(UTC)
    given: dict[str, Any] = {
        "prompt_id": ids.uuid7(),
        "version_id": ids.uuid7(),
        "version_number": 3,
        "metric": "error_rate",
        "rule": "statistical",
        "began_at": now - timedelta(minutes=45),
        "opened_at": now - timedelta(minutes=30),
        "window_minutes": 15,
        "before_value": 0.021,
        "now_value": 0.054,
        "last_value": 0.061,
        "before_count": 28_400,
        "now_count": 1_210,
        "score": 6.2,
        "chance": 2.8e-10,
        "looked_until": now,
    }
    with organization_scope(project.organization_id):
        return Incident.objects.create(
            organization_id=project.organization_id, project=project, **given | values
        )


@tenant_factory("analytics.Incident")
def _incident(project: Project) -> TenantModel:
    return make_incident(project=project)


@tenant_factory("analytics.DegradationSetting")
def _setting(project: Project) -> TenantModel:
    # A project has one.
    made, _ = DegradationSetting.objects.update_or_create(
        organization_id=project.organization_id, project=project, defaults={"rule": "simple"}
    )
    return made
