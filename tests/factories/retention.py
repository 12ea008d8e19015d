"""Rows of retention."""

from typing import Any

from django.utils import timezone

from apps.core.models import TenantModel
from apps.core.scope import organization_scope
from apps.prompts.models import Prompt
from apps.retention.models import DataClass, LegalHold, PurgeRun, RetentionPolicy
from apps.tenants.models import Organization, Project
from tests.factories.prompts import make_prompt
from tests.factories.registry import tenant_factory


def make_policy(
    *, organization: Organization, data_class: DataClass, days: int | None, project: Project | None = None
) -> RetentionPolicy:
    """A policy of the organization, or of one project."""
    with organization_scope(organization.id):
        return RetentionPolicy.objects.create(
            organization=organization, project=project, data_class=data_class, days=days
        )


def make_hold(*, project: Project, prompt: Prompt | None = None, **values: Any) -> LegalHold:
    """A legal hold in force."""
    with organization_scope(project.organization_id):
        return LegalHold.objects.create(
            organization_id=project.organization_id,
            project=project,
            prompt=prompt,
            **{"reason": "Case 7 of 2026", **values},
        )


@tenant_factory("retention.RetentionPolicy")
def _policy(project: Project) -> TenantModel:
    days = {"organization": project.organization, "project": project, "data_class": DataClass.DATASETS}
    return RetentionPolicy.objects.get_or_create(**days, defaults={"days": 30})[0]


@tenant_factory("retention.LegalHold")
def _hold(project: Project) -> TenantModel:
    # Of a prompt of its own: one hold at a time covers the same.
    return make_hold(project=project, prompt=make_prompt(project=project))


@tenant_factory("retention.PurgeRun")
def _purge(project: Project) -> TenantModel:
    now = timezone.now()
    return PurgeRun.objects.create(
        organization_id=project.organization_id,
        state="finished",
        judged_at=now,
        ended_at=now,
        counts={"run_payloads": 1_204, "datasets": 0},
        chunks=12,
        longest_ms=38,
    )
