"""Carrying an erasure out, a chunk a transaction: what was done, how far, and the counts commit together.

Killed anywhere, the work goes on where the last commit left it. Only one process works on a request at a
time; every chunk asks again whether a legal hold has been placed meanwhile.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils import timezone

from apps.core.scope import organization_scope, system_scope
from apps.retention.erasure.matching import Texts
from apps.retention.erasure.subjects import Subject, subject_of
from apps.retention.models import ErasureRequest, ErasureState, LegalHold

ROWS_AT_ONCE: Final = 1000
SETTLE_SECONDS: Final = 900
"""Longer than any call of a model: what was under way when the work began has been recorded by then."""


class Place(StrEnum):
    """Where a step runs: across organizations, inside the organization, or outside of every scope."""

    SYSTEM = "system"
    ORGANIZATION = "organization"
    OUTSIDE = "outside"


@dataclass(slots=True)
class Work:
    """One chunk's view of a request. Steps read `subject`, move `position` and count what they did."""

    request: ErasureRequest
    subject: Subject
    texts: Texts
    position: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def organization_id(self) -> UUID:
        return self.request.organization_id

    def count(self, what: str, number: int) -> None:
        """Add to the count of a class of data."""
        if number:
            self.counts[what] = self.counts.get(what, 0) + number


@dataclass(frozen=True, slots=True)
class Step:
    """One part of the work: `run` does a chunk and says whether the step is through."""

    name: str
    run: Callable[[Work], bool]
    place: Place = Place.SYSTEM


def walk(work: Work, rows: "models.QuerySet[Any]", limit: int = ROWS_AT_ONCE) -> tuple[list[Any], bool]:
    """The next rows by key, and whether they are the last; the position moves behind them."""
    after = work.position.get("after")
    found = list((rows.filter(pk__gt=after) if after else rows).order_by("pk")[:limit])
    if found:
        work.position["after"] = str(found[-1].pk)
    return found, len(found) < limit


def walk_children(
    work: Work,
    parents: "models.QuerySet[Any]",
    children: "Callable[[UUID], models.QuerySet[Any]]",
    number: str,
    limit: int = ROWS_AT_ONCE,
) -> tuple[UUID | None, list[Any], bool]:
    """The next rows of one parent in the order of `number`: parent, rows, and whether it was the very last.

    Rows of a large table are read along the index that leads with their parent.
    """
    parent, after = work.position.get("parent"), work.position.get("number")
    if parent is None:
        left = parents.order_by("pk").values_list("pk", flat=True)
        following = left.filter(pk__gt=work.position["done"]) if "done" in work.position else left
        first = following.first()
        if first is None:
            return None, [], True
        parent, after = str(first), None
    rows = children(UUID(parent)).order_by(number)
    found = list((rows.filter(**{f"{number}__gt": after}) if after is not None else rows)[:limit])
    if len(found) < limit:
        work.position.update(parent=None, number=None, done=parent)
    else:
        last = getattr(found[-1], number)
        work.position.update(parent=parent, number=last if isinstance(last, int) else str(last))
    return UUID(parent), found, False


def settle_time() -> timedelta:
    """How long after its beginning an erasure looks once more for what was under way then."""
    return timedelta(seconds=float(getattr(settings, "ERASURE_SETTLE_SECONDS", SETTLE_SECONDS)))


def settled(work: Work) -> bool:
    """A step that is through once calls that were under way at the beginning must have ended."""
    started = work.request.started_at or timezone.now()
    return timezone.now() >= started + settle_time()


def work_off(request_id: UUID, steps_of: Callable[[ErasureRequest], Sequence[Step]], seconds: float) -> bool:
    """Work on a request for at most some seconds; whether it can go on at once."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not advance(request_id, steps_of):
            return False
    return True


def advance(request_id: UUID, steps_of: Callable[[ErasureRequest], Sequence[Step]]) -> bool:
    """Do one chunk of a request; False when nothing can be done now: ended, held, early, or others' work."""
    step = _begin(request_id, steps_of)
    if step is None:
        return False
    with _opened(step.place, request_id):
        if step.place is Place.OUTSIDE:
            outside = step.run(_read(request_id))
            with system_scope():
                return _finish(_locked(request_id), step, steps_of, lambda _: outside)
        return _finish(_locked(request_id), step, steps_of, step.run)


def holding(organization_id: UUID) -> list[LegalHold]:
    """The legal holds that keep an organization's erasures from going on; in the system scope."""
    open_ones = LegalHold.all_organizations.filter(organization_id=organization_id, released_at__isnull=True)
    return list(open_ones.order_by("pk"))


def _begin(request_id: UUID, steps_of: Callable[[ErasureRequest], Sequence[Step]]) -> Step | None:
    with system_scope():
        request = _locked(request_id)
        if request is None or not request.is_open or request.execute_after > timezone.now():
            return None
        if holding(request.organization_id):
            return None
        if request.state == ErasureState.PENDING:
            _start(request, steps_of(request)[0], timezone.now())
        return next(step for step in steps_of(request) if step.name == request.step)


def _start(request: ErasureRequest, first: Step, now: datetime) -> None:
    request.state, request.started_at, request.step = ErasureState.RUNNING, now, first.name
    request.touched_at = now
    request.save(update_fields=["state", "started_at", "step", "touched_at"])


def _opened(place: Place, request_id: UUID) -> AbstractContextManager[Any]:
    if place is Place.OUTSIDE:
        return nullcontext()
    if place is Place.SYSTEM:
        return system_scope()
    with system_scope():
        owner = ErasureRequest.all_organizations.values_list("organization_id", flat=True).get(pk=request_id)
    return organization_scope(owner)


def _locked(request_id: UUID) -> ErasureRequest | None:
    rows = ErasureRequest.all_organizations.select_for_update(skip_locked=True)
    return rows.filter(pk=request_id).first()


def _read(request_id: UUID) -> Work:
    with system_scope():
        return work_on(ErasureRequest.all_organizations.get(pk=request_id))


def work_on(request: ErasureRequest) -> Work:
    """The work on a request as it stands; inside a scope."""
    subject = subject_of(request)
    return Work(request, subject, Texts(subject.texts), dict(request.position), dict(request.counts))


def _finish(
    request: ErasureRequest | None,
    step: Step,
    steps_of: Callable[[ErasureRequest], Sequence[Step]],
    run: Callable[[Work], bool],
) -> bool:
    """Do the chunk under the request's lock, and move on in the same transaction."""
    if request is None or request.state != ErasureState.RUNNING or request.step != step.name:
        return False
    work = work_on(request)
    through = run(work)
    request.counts, request.position, request.touched_at = work.counts, work.position, timezone.now()
    changed = ["counts", "position", "touched_at", "step", "state"]
    waits = False
    if through:
        steps = steps_of(request)
        at = [each.name for each in steps].index(step.name) + 1
        request.position = {}
        if at < len(steps):
            request.step = steps[at].name
    else:
        waits = step.run is settled or step.place is Place.OUTSIDE
    request.save(update_fields=changed)
    return request.state == ErasureState.RUNNING and not waits
