"""Accepting a background run, and cancelling one."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.audit.actor import Actor
from apps.audit.services import record
from apps.core.errors import Conflict, InvalidRequest, RateLimited
from apps.core.scope import organization_scope
from apps.runs.background import events, requests, ringing
from apps.runs.models import BackgroundRun, BackgroundStatus
from apps.runs.types import RunRequest

KEPT_WAITING: Final = timedelta(hours=24)
"""A run that no worker could take by then fails."""

MOST_WAITING: Final = 10_000
"""Runs of one project that may wait; two that come at the same moment may both be the last."""

LARGEST_REQUEST: Final = 8 * 1024 * 1024

_COUNT_WAITING: Final = """
SELECT count(*) FROM (
    SELECT FROM runs_backgroundrun
    WHERE organization_id = %(organization)s AND project_id = %(project)s AND NOT recorded
      AND status = 'queued' LIMIT %(most)s
) AS waiting
"""
_COMPLETE_CLAIM: Final = """
UPDATE core_idempotencykey SET status = 202, expires_at = now() + interval '24 hours'
WHERE organization_id = %(organization)s AND id = %(claim)s AND reference = %(reference)s
"""


def start_background(request: RunRequest) -> BackgroundRun:
    """Accept a run: it will be carried out, whatever dies. Returns after the commit; opens its own scope.

    The request must have passed the engine's `prepare`. Its claim of an Idempotency-Key is completed in the
    same transaction. Raises InvalidRequest for one that is too large, RateLimited where too many wait,
    Conflict for a claim that was lost to a twin.
    """
    packed = requests.pack(request)
    if len(packed) > LARGEST_REQUEST:
        raise InvalidRequest(
            f"A background run is asked for in at most {LARGEST_REQUEST:,} bytes; this is {len(packed):,}.",
            code="body_too_large",
        )
    if request.api_key_id is None:
        raise ValueError("a background run is asked for with an API key")
    with organization_scope(request.organization_id):
        _demand_room(request)
        _complete_claim(request)
        run = BackgroundRun.objects.create(
            id=request.run_id,
            organization_id=request.organization_id,
            project_id=request.project_id,
            api_key_id=request.api_key_id,
            prompt_name=request.prompt.name if request.prompt else "",
            model=(request.model or "")[:255],
            livemode=request.livemode,
            sealed_request=requests.seal(request, packed),
            expires_at=timezone.now() + KEPT_WAITING,
        )
        ringing.ring_unless_pumping()
    return run


def cancel_background(*, actor: Actor, run: BackgroundRun) -> BackgroundRun:
    """Cancel a run: one that waits ends at once, one that is under way is broken off within a few seconds.

    What an answer that was under way has used is charged. Cancelling twice changes nothing. Raises Conflict
    for a run that has ended otherwise. Call it inside the organization's scope.
    """
    locked = BackgroundRun.objects.select_for_update(no_key=True).get(pk=run.pk)
    if locked.status == BackgroundStatus.CANCELLED or locked.cancel_requested_at is not None:
        return locked
    if locked.is_over:
        raise Conflict("This run has ended.", code="run_ended")
    now = timezone.now()
    before, locked.cancel_requested_at = locked.status, now
    if locked.status == BackgroundStatus.QUEUED:
        _end_waiting(locked)
    locked.save()
    record(
        actor=actor,
        action="run.cancelled",
        target=locked,
        organization_id=locked.organization_id,
        changes={"status": (before, BackgroundStatus.CANCELLED)},
    )
    return locked


def _end_waiting(run: BackgroundRun) -> None:
    run.status = BackgroundStatus.CANCELLED
    run.finished_at = run.cancel_requested_at
    run.sealed_request = None
    run.fence += 1
    events.tell(run)


def _demand_room(request: RunRequest) -> None:
    asked: dict[str, UUID | int] = {
        "organization": request.organization_id,
        "project": request.project_id,
        "most": MOST_WAITING,
    }
    if _one(_COUNT_WAITING, asked) >= MOST_WAITING:
        raise RateLimited(
            f"{MOST_WAITING:,} background runs of this project wait already; send this one later.",
            code="too_many_waiting",
            retry_after=5,
        )


def _complete_claim(request: RunRequest) -> None:
    if request.claim is None:
        return
    claim: dict[str, UUID | str] = {
        "organization": request.organization_id,
        "claim": request.claim,
        "reference": str(request.run_id),
    }
    with connection.cursor() as cursor:
        cursor.execute(_COMPLETE_CLAIM, claim)
        if not cursor.rowcount:
            raise Conflict(
                "Another request with this Idempotency-Key was answered.", code="idempotency_key_in_use"
            )


def _one(statement: str, parameters: dict[str, UUID | int]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row: tuple[Any, ...] = cursor.fetchone()
    return int(row[0])
