"""Rows of billing."""

from datetime import UTC, datetime

from apps.billing import plans
from apps.billing.models import AllowanceLease, Quota, UsageEvent, UsageKey
from apps.core.ids import uuid7
from apps.core.models import TenantModel
from apps.core.scope import organization_scope
from apps.tenants.models import Organization, Project
from tests.factories.registry import numbers, tenant_factory


@tenant_factory("billing.UsageEvent")
def _usage_event(project: Project) -> TenantModel:
    return UsageEvent.objects.create(
        organization_id=project.organization_id,
        project_id=project.id,
        meter="runs",
        quantity=1,
        key=f"run:{next(numbers)}",
        source_kind="run",
        source_id=uuid7(),
        occurred_at=datetime.now(UTC),
    )


@tenant_factory("billing.UsageKey")
def _usage_key(project: Project) -> TenantModel:
    return UsageKey.objects.create(
        organization_id=project.organization_id, key=f"run:{next(numbers)}", content_hash=b"hash"
    )


def make_quota(*, organization: Organization, cap: int, used: int = 0, meter: str = "runs") -> Quota:
    """This month's quota of an organization."""
    with organization_scope(organization.id):
        return Quota.objects.create(
            organization=organization,
            meter=meter,
            period_start=plans.period_start(datetime.now(UTC)),
            cap=cap,
            used=used,
        )


@tenant_factory("billing.Quota")
def _quota(project: Project) -> TenantModel:
    return make_quota(organization=project.organization, cap=10, meter=f"meter{next(numbers)}")


@tenant_factory("billing.AllowanceLease")
def _allowance_lease(project: Project) -> TenantModel:
    quota = make_quota(organization=project.organization, cap=10, meter=f"meter{next(numbers)}")
    return AllowanceLease.objects.create(
        organization_id=project.organization_id,
        quota=quota,
        holder="test",
        amount=1,
        expires_at=datetime.now(UTC),
    )
