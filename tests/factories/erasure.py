"""Rows of erasure."""

from django.utils import timezone

from apps.core.ids import uuid7
from apps.core.models import TenantModel
from apps.retention.models import ErasureKind, ErasureRequest
from apps.tenants.models import Project
from tests.factories.registry import tenant_factory


@tenant_factory("retention.ErasureRequest")
def _erasure_request(project: Project) -> TenantModel:
    return ErasureRequest.objects.create(
        organization_id=project.organization_id,
        kind=ErasureKind.END_USER,
        subject_digest=uuid7().hex * 2,
        execute_after=timezone.now(),
    )
