"""How archives stand at this moment, whatever their rows say: others erase people and delete files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Count, Max, Q
from django.utils import timezone

from apps.retention.models import (
    ErasureKind,
    ErasureRequest,
    ErasureState,
    ExportPart,
    ExportState,
    OrganizationExport,
)

ERASURES_OF_PERSONS: Final = (ErasureKind.END_USER, ErasureKind.MEMBER)
ERASED: Final = (ErasureState.RUNNING, ErasureState.DONE)


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides: the last erasure of a person, whether one runs, and how many parts are still there."""

    last_erasure: datetime | None
    is_erasing: bool
    parts: Mapping[UUID, int]

    def was_erased_since(self, export: OrganizationExport) -> bool:
        """Whether an erasure began after the export: what was read may be what was erased."""
        if self.last_erasure is None or export.started_at is None:
            return False
        return self.last_erasure >= export.started_at

    def is_whole(self, export: OrganizationExport) -> bool:
        """Whether every part is still there; retention and erasures delete files too."""
        return self.parts.get(export.pk, 0) == export.part_count

    def state_of(self, export: OrganizationExport) -> ExportState:
        """An export's state: ready ones expire and are withdrawn."""
        if export.state != ExportState.READY:
            return ExportState(export.state)
        if export.expires_at is None or export.expires_at <= timezone.now():
            return ExportState.EXPIRED
        if self.was_erased_since(export) or not self.is_whole(export):
            return ExportState.WITHDRAWN
        return ExportState.READY


def facts_of(exports: Sequence[OrganizationExport]) -> Facts:
    """The facts about some exports, in two statements, inside their organization's scope."""
    erased = ErasureRequest.objects.filter(kind__in=ERASURES_OF_PERSONS, state__in=ERASED).aggregate(
        last=Max("started_at"), running=Count("pk", filter=Q(state=ErasureState.RUNNING))
    )
    # Counted through the join: a part whose file is gone is none.
    there = (
        ExportPart.objects.filter(export_id__in=[export.pk for export in exports])
        .values_list("export_id")
        .annotate(found=Count("file__size"))
        .order_by()
    )
    return Facts(erased["last"], bool(erased["running"]), dict(there))
