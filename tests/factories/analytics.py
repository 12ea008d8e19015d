"""Rows of roll-ups, written as the roll-up job does: under the system role."""

from datetime import UTC, datetime
from typing import Any

from apps.analytics.models import Grain, KeptFacts, Rollup, Segment
from apps.core.scope import system_scope
from apps.tenants.models import Project
from tests.factories.registry import tenant_factory


def make_segment(*, project: Project, **values: Any) -> Segment:
    """A combination of what runs are counted by."""
    given = {"source": "gateway", "connection": "openai", "model": "openai/gpt-5-mini", "sandbox": False}
    with system_scope():
        return Segment.all_organizations.create(
            organization_id=project.organization_id, project_id=project.id, **given | values
        )


def make_rollup(
    *, segment: Segment, starts_at: datetime | None = None, grain: Grain = Grain.HOUR, **values: Any
) -> Rollup:
    """The numbers of a segment in one period."""
    with system_scope():
        return Rollup.all_organizations.create(
            organization_id=segment.organization_id,
            segment=segment,
            grain=grain,
            starts_at=starts_at or datetime.now(UTC).replace(minute=0, second=0, microsecond=0),
            **values,
        )


@tenant_factory("analytics.Segment", scoped=False)
def _segment(project: Project) -> Segment:
    return make_segment(project=project)


@tenant_factory("analytics.Rollup", scoped=False)
def _rollup(project: Project) -> Rollup:
    return make_rollup(segment=make_segment(project=project), requests=1)


@tenant_factory("analytics.KeptFacts", scoped=False)
def _kept_facts(project: Project) -> KeptFacts:
    with system_scope():
        # A project has one.
        return KeptFacts.all_organizations.update_or_create(
            organization_id=project.organization_id,
            project_id=project.id,
            defaults={"since": datetime.now(UTC)},
        )[0]
