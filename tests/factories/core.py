"""Rows of core and audit."""

from django.db.models import Model

from apps.audit import cutting, sealing
from apps.audit import services as audit_services
from apps.audit.actor import Actor
from apps.audit.models import AuditDetail, AuditSeal
from apps.core import files as core_files
from apps.core import idempotency
from apps.core.ids import uuid7
from apps.core.models import FileChunk, IdempotencyKey
from apps.core.scope import organization_scope, system_scope
from apps.tenants.models import Project
from tests.factories.registry import numbers, tenant_factory


@tenant_factory("core.StoredFile")
def _stored_file(project: Project) -> Model:
    return core_files.store(
        organization_id=project.organization_id, name="a.txt", content_type="text/plain", chunks=[b"text"]
    )


@tenant_factory("core.FileChunk")
def _file_chunk(project: Project) -> Model:
    return FileChunk.objects.get(file_id=_stored_file(project).pk)


@tenant_factory("core.IdempotencyKey")
def _idempotency_key(project: Project) -> Model:
    key = f"key {next(numbers)}"
    idempotency.claim(organization_id=project.organization_id, owner="test", key=key, fingerprint=b"x" * 32)
    return IdempotencyKey.objects.get(key=key)


@tenant_factory("audit.AuditEvent")
def _audit_event(project: Project) -> Model:
    actor = Actor(kind="user", id=uuid7(), role="owner", display="Ada")
    return audit_services.record(
        actor=actor, action="test.done", organization_id=project.organization_id, target=project
    )


@tenant_factory("audit.AuditDetail")
def _audit_detail(project: Project) -> Model:
    return AuditDetail.objects.get(event_id=_audit_event(project).pk)


@tenant_factory("audit.AuditSeal", scoped=False)
def _audit_seal(project: Project) -> Model:
    with organization_scope(project.organization_id):
        event = _audit_event(project)
    sealing.seal_all()
    with organization_scope(project.organization_id):
        return AuditSeal.objects.get(event_id=event.pk)


@tenant_factory("audit.AuditCut", scoped=False)
def _audit_cut(project: Project) -> Model:
    _audit_seal(project)
    with system_scope():
        found = cutting.cut(project.organization_id)
    assert found is not None
    return found
