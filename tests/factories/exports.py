"""Rows of archives."""

from datetime import timedelta

from django.db.models import Model
from django.utils import timezone

from apps.core import files
from apps.retention.exports.writing import KEPT
from apps.retention.exports.zip_layout import make_entry
from apps.retention.models import ExportPart, ExportState, OrganizationExport
from apps.tenants.models import Project
from tests.factories.registry import tenant_factory


@tenant_factory("retention.OrganizationExport")
def _export(project: Project) -> Model:
    # Later than any erasure that another factory makes: those withdraw it.
    now = timezone.now() + timedelta(days=1)
    return OrganizationExport.objects.create(
        organization_id=project.organization_id,
        state=ExportState.READY,
        started_at=now,
        ended_at=now,
        expires_at=now + KEPT,
    )


@tenant_factory("retention.ExportPart")
def _part(project: Project) -> Model:
    """One entry of an archive that has no other."""
    now = timezone.now() + timedelta(days=1)
    export = OrganizationExport.objects.create(
        organization_id=project.organization_id,
        state=ExportState.READY,
        started_at=now,
        ended_at=now,
        expires_at=now + KEPT,
        part_count=1,
    )
    entry, whole = make_entry("README.txt", b"words", now)
    file = files.store(
        organization_id=project.organization_id, name="part", content_type="text/plain", chunks=[whole]
    )
    return ExportPart.objects.create(
        organization_id=project.organization_id,
        export=export,
        file=file,
        number=0,
        name=entry.name,
        kind="about",
        size=entry.size,
        compressed_size=entry.compressed_size,
        entry_size=entry.length,
        crc32=entry.crc32,
        sha256="0" * 64,
    )
