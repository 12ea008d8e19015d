"""Rows of erasure."""

from datetime import timedelta

from django.utils import timezone

from apps.core.ids import uuid7
from apps.core.models import TenantModel
from apps.core.scope import organization_scope
from apps.retention.models import ErasureKind, ErasureRequest, ErasureState
from apps.tenants.models import Project
from tests.factories.registry import tenant_factory


def make_erasure(
    *, project: Project, kind: ErasureKind = ErasureKind.END_USER, state: ErasureState = ErasureState.DONE
) -> ErasureRequest:
    """An erasure as it stands in the list; by default one that is done, with counts."""
    now, done = timezone.now(), state == ErasureState.DONE
    with organization_scope(project.organization_id):
        return ErasureRequest.objects.create(
            organization_id=project.organization_id,
            kind=kind,
            state=state,
            subject_digest=uuid7().hex * 2,
            reason="Ticket 42",
            execute_after=now if done else now + timedelta(days=1),
            started_at=now if done else None,
            ended_at=now if done else None,
            counts={"runs": 12, "run_contents": 12} if done else {},
        )


@tenant_factory("retention.ErasureRequest")
def _erasure_request(project: Project) -> TenantModel:
    return make_erasure(project=project)
