"""Reads of exports, inside the organization's scope."""

from dataclasses import dataclass

from django.db.models import QuerySet

from apps.core import errors
from apps.core.models import find
from apps.retention.exports.kinds import KINDS
from apps.retention.exports.standing import Facts, facts_of
from apps.retention.models import ExportState, OrganizationExport


@dataclass(frozen=True, slots=True)
class Progress:
    """How an export stands at this moment: kinds that are through, kinds in all, the present one's words.

    `waits` for the end of an erasure.
    """

    state: ExportState
    kinds_done: int
    kinds: int
    kind: str
    waits: bool

    @property
    def percent(self) -> int:
        """Of the kinds, which are of different sizes."""
        return 100 * self.kinds_done // self.kinds


def exports() -> QuerySet[OrganizationExport]:
    """The organization's exports, unordered."""
    return OrganizationExport.objects.select_related("requested_by")


def get_export(public_id: str) -> OrganizationExport:
    """One export. Raises NotFound."""
    found = find(exports(), public_id)
    if found is None:
        raise errors.NotFound("There is no such archive in this organization.", code="export_not_found")
    return found


def progress_of(export: OrganizationExport, facts: Facts | None = None) -> Progress:
    """How an export stands; with the facts at hand if several are shown."""
    known = facts or facts_of([export])
    state = known.state_of(export)
    at = int(export.position.get("kind", 0)) if export.is_under_way else 0
    done = len(KINDS) if state in (ExportState.READY, ExportState.EXPIRED, ExportState.WITHDRAWN) else at
    words = KINDS[at].words if export.is_under_way and at < len(KINDS) else ""
    return Progress(state, done, len(KINDS), words, export.is_under_way and known.is_erasing)
