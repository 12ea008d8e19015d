"""Purging in a test: to the end, as of an instant."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from apps.audit.actor import SYSTEM
from apps.core.scope import organization_scope, system_scope
from apps.retention import services
from apps.retention.models import PurgeRun
from apps.tenants.models import Organization, Project

NOW = datetime(2026, 11, 20, 12, 0, 0, 456_789, tzinfo=UTC)


def begin(organization: Organization, at: datetime = NOW) -> PurgeRun:
    """Begin a purge that judges as of an instant."""
    with organization_scope(organization.id):
        begun = services.request_purge(actor=SYSTEM, organization=organization)
    with system_scope():
        PurgeRun.all_organizations.filter(pk=begun.pk).update(judged_at=at)
    return begun


def purge(organization: Organization, at: datetime = NOW) -> PurgeRun:
    """Delete what is due at an instant, to the end."""
    begun = begin(organization, at)
    services.work(60, rest=0)
    with organization_scope(organization.id):
        return PurgeRun.objects.get(pk=begun.pk)


def kept(project: Project, model: Any) -> set[UUID]:
    """The ids that are left of a model."""
    with organization_scope(project.organization_id):
        return set(model.objects.values_list("pk", flat=True))
