"""What the cron process does for batches every five seconds: whatever a dead pump or a flushed Redis left.

Every step is safe to run in several processes at once and each is a short transaction of its own.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection
from django.db.models import F, Q
from django.db.models.functions import Now
from psycopg.errors import QueryCanceled

from apps.batches.lease_sql import GIVE_BACK
from apps.batches.models import BatchJob, JobStatus, Pump, StopReason
from apps.batches.processes import is_gone
from apps.batches.services import (
    finish_job,
    keep_rings,
    ring_pumps,
    run_rule,
    start_scheduled,
    stop_job,
)
from apps.core.lease_metrics import LEASE_RECLAIMS
from apps.core.logs import get_logger
from apps.core.queue import queue_depth
from apps.core.scope import organization_scope, system_scope

AT_ONCE: Final = 1_000
RULES_AT_ONCE: Final = 20
RUNNING: Final = (JobStatus.IN_PROGRESS, JobStatus.PAUSED)
EXPIRING: Final = (JobStatus.VALIDATING, JobStatus.SCHEDULED, *RUNNING)

logger = get_logger(__name__)

_TAKE_BACK: Final = f"""
WITH lost AS (
    SELECT id, cost_reserved FROM batches_batchitem
    WHERE status = 'running' AND lease_expires_at < now()
    ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
), {GIVE_BACK}
SELECT coalesce(sum(rows), 0) FROM moved
"""


# By the index of leases, which knows only rows in work: who holds one is asked of few.
_EXPIRE: Final = """
UPDATE batches_batchitem SET lease_expires_at = now() - interval '1 second'
WHERE status = 'running' AND lease_owner = ANY(%(pumps)s)
  AND lease_expires_at BETWEEN now() - interval '1 hour' AND now() + interval '1 hour'
"""


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep found."""

    leases: int
    expired: int
    started: int
    rerun: int
    finished: int
    rung: int


def sweep() -> Swept:
    """Take back expired leases, stop expired jobs, start those whose time has come, ring missing pumps, end
    what is through.
    """
    forget_dead_pumps()
    leases = take_back_leases()
    LEASE_RECLAIMS.labels("batch_row").inc(leases)
    expired = stop_expired_jobs()
    started = start_scheduled_jobs()
    rerun = run_due_rules()
    # Rings that Redis has lost expire; those that wait there for a worker don't.
    waiting = queue_depth()
    with system_scope():
        keep_rings(waiting)
        Pump.objects.filter(expires_at__lt=Now()).delete()
        rung = ring_pumps()
    # Last, because a large job's end takes seconds.
    finished = finish_open_jobs()
    swept = Swept(leases, expired, started, rerun, finished, rung)
    if swept != Swept(0, 0, 0, 0, 0, 0):
        logger.info("batches.swept", extra={name: getattr(swept, name) for name in Swept.__slots__})
    return swept


def forget_dead_pumps() -> int:
    """End the leases of pumps whose process has ended on this host, without waiting for them to run out.

    Those on other hosts, or in other containers, run out by themselves. Returns how many pumps.
    """
    with system_scope():
        working = list(Pump.objects.filter(started_at__isnull=False).values_list("id", "process"))
    dead = [pump_id for pump_id, process in working if is_gone(process)]
    if dead:
        with system_scope(), connection.cursor() as cursor:
            cursor.execute(_EXPIRE, {"pumps": dead})
            Pump.objects.filter(pk__in=dead).delete()
    return len(dead)


def take_back_leases() -> int:
    """Put rows whose lease has run out back in line, with a new fence; returns how many."""
    taken = 0
    while True:
        with system_scope(), connection.cursor() as cursor:
            cursor.execute(_TAKE_BACK, {"status": "pending", "uncounted": 0, "limit": AT_ONCE})
            rows = int(cursor.fetchone()[0])
        taken += rows
        if rows < AT_ONCE:
            return taken


def stop_expired_jobs() -> int:
    """Stop jobs that ran past their completion window; returns how many."""
    with system_scope():
        found = BatchJob.all_organizations.filter(status__in=EXPIRING, expires_at__lt=Now())
        jobs = list(found.values_list("organization_id", "id"))
    return _done_with_each(_stop_expired, jobs)


def start_scheduled_jobs() -> int:
    """Start jobs whose time has come; returns how many."""
    with system_scope():
        due = BatchJob.all_organizations.filter(status=JobStatus.SCHEDULED, start_at__lte=Now())
        jobs = list(due.order_by("start_at").values_list("organization_id", "id")[:AT_ONCE])
    return _done_with_each(start_scheduled, jobs)


def run_due_rules() -> int:
    """Run the rules of jobs that have ended; returns how many."""
    with system_scope():
        due = BatchJob.all_organizations.filter(rerun_due=True)
        jobs = list(due.order_by("id").values_list("organization_id", "id")[:RULES_AT_ONCE])
    return _done_with_each(run_rule, jobs)


def finish_open_jobs() -> int:
    """End jobs with nothing in flight and nothing left to start, pause those whose sample is through.

    Returns how many were ended.
    """
    with system_scope():
        idle = BatchJob.all_organizations.filter(running=0)
        through = Q(pending=0) | Q(status=JobStatus.IN_PROGRESS, claim_limit__lt=F("next_number"))
        over = Q(status__in=RUNNING, continuous=False) & through
        found = idle.filter(Q(status=JobStatus.CANCELLING) | over)
        jobs = list(found.values_list("organization_id", "id"))
    return _done_with_each(finish_job, jobs)


def _done_with_each(step: Callable[[UUID, UUID], bool], jobs: Iterable[tuple[UUID, UUID]]) -> int:
    """For how many jobs a step was done. One that fails keeps no other waiting: the next sweep tries it."""
    done = 0
    for organization_id, job_id in jobs:
        try:
            done += step(organization_id, job_id)
        except Exception as error:
            away = isinstance(error, (OperationalError, InterfaceError))
            if away and not isinstance(error.__cause__, QueryCanceled):
                raise
            logger.exception("batches.sweep_failed", extra={"batch": str(job_id)})
    return done


def _stop_expired(organization_id: UUID, job_id: UUID) -> bool:
    with organization_scope(organization_id):
        job = BatchJob.objects.select_for_update(no_key=True).get(id=job_id)
        if job.status in EXPIRING:
            stop_job(job, StopReason.EXPIRED)
            return True
        return False
