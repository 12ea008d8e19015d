"""Reads of erasures, inside the organization's scope."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.core import ids
from apps.core.errors import NotFound
from apps.core.models import find
from apps.retention.erasure.certificates import counted
from apps.retention.erasure.plan import WAITING, progress
from apps.retention.erasure.subjects import Subject, digest_of, subject_of
from apps.retention.erasure.work import settle_time
from apps.retention.models import ErasureKind, ErasureRequest, LegalHold
from apps.tenants.models import User


@dataclass(frozen=True, slots=True)
class ErasureProgress:
    """How far an erasure is: steps through and in all, the present one in words, holds that stop it.

    `waits_until` is when it goes on by itself, while it lets calls that were under way come to their end.
    """

    through: int
    steps: int
    doing: str
    waits_until: datetime | None
    counted: list[tuple[str, int]]
    held_by: list[LegalHold]


def erasures(
    organization_id: UUID, *, kind: str = "", state: str = "", search: str = ""
) -> QuerySet[ErasureRequest]:
    """The organization's erasures. `search` is an erasure's id, or whom one was about: found by digest."""
    found = ErasureRequest.objects.select_related("requested_by")
    if kind:
        found = found.filter(kind=kind)
    if state:
        found = found.filter(state=state)
    return found.filter(_about(organization_id, search.strip())) if search.strip() else found


def get_erasure(public_id: str) -> ErasureRequest:
    """One erasure. Raises NotFound."""
    found = find(ErasureRequest.objects.select_related("requested_by"), public_id)
    if found is None:
        raise NotFound("There is no such erasure in this organization.", code="erasure_not_found")
    return found


def pending_deletion() -> ErasureRequest | None:
    """The deletion of the whole organization that waits or runs."""
    found = ErasureRequest.objects.filter(kind=ErasureKind.ORGANIZATION, state__in=["pending", "running"])
    return found.first()


def standing_holds() -> list[LegalHold]:
    """The legal holds that stop every erasure of the organization."""
    return list(LegalHold.objects.filter(released_at__isnull=True).order_by("pk"))


def progress_of(request: ErasureRequest, holds: list[LegalHold]) -> ErasureProgress:
    """How far an erasure is; `holds` are those that stand."""
    through, steps, doing = progress(request)
    held = holds if request.is_open else []
    waits = request.started_at + settle_time() if request.started_at and request.step == WAITING else None
    return ErasureProgress(through, steps, doing, waits, counted(request), held)


def shown_subject(request: ErasureRequest) -> Subject:
    """Whom an open erasure is about; empty once it has ended."""
    return subject_of(request)


def _about(organization_id: UUID, search: str) -> Q:
    own = ids.decode_or_none(ErasureRequest.PREFIX, search)
    if own is not None:
        return Q(pk=own)
    user_id = ids.decode_or_none(User.PREFIX, search)
    digest = digest_of(organization_id, str(user_id) if user_id else search)
    return Q(subject_digest__in=[digest, search])
