"""Carrying policies out: in the night, piece by piece, each piece a short transaction of its own.

A piece locks the purge's row, so two workers never do the same; it reads policies and holds anew, deletes a
little, and writes down where to go on. Stopped or killed anywhere, the next turn goes on from there.
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.utils import OperationalError
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import SYSTEM
from apps.core.ids import first_of
from apps.core.logs import get_logger
from apps.core.scope import system_scope
from apps.core.sql import UUID7
from apps.retention import queries, rules, selecting, sweeping
from apps.retention.models import PurgeRun, PurgeState
from apps.tenants.models import Project

# A night begins at two o'clock UTC; a cron process that was away then begins when it is back.
NIGHT_BEGINS: Final = timedelta(hours=2)
BEGUN_AT_ONCE: Final = 20
REMEMBERED: Final = timedelta(days=400)
FIRST_SIZE: Final = 200
LARGEST_SIZE: Final = 2_000
SMALLEST_SIZE: Final = 50
# What a piece should take: runs wait for the processor and the disk, never for a lock of ours.
TARGET_SECONDS: Final = 0.05
# After each piece the database is left to others for so many times as long as the piece took.
REST: Final = 3.0
LONGEST_REST_SECONDS: Final = 0.5
PLACES_AT_ONCE: Final = 50
_FORGET: Final = "DELETE FROM retention_purgerun WHERE id < %s AND state = 'finished'"
NOTHING: Final = sweeping.Piece(0, None)
_LIMITS: Final = """
SET LOCAL lock_timeout = '250ms'; SET LOCAL statement_timeout = '1s';
SET LOCAL synchronous_commit = off
"""

logger = get_logger(__name__)


@dataclass(slots=True)
class _Worker:
    """How many rows a piece takes: more while it is quick, fewer when the database has other work.

    `avoided` are purges that even the smallest piece of could not be carried out; another turn tries again.
    """

    size: int
    current: UUID | None = None
    avoided: set[UUID] = field(default_factory=set)

    def learn(self, seconds: float) -> None:
        """Fit the next piece to how long the last one took."""
        if seconds > TARGET_SECONDS:
            self.size = max(SMALLEST_SIZE, self.size // 2)
        elif seconds < TARGET_SECONDS / 2:
            self.size = min(LARGEST_SIZE, self.size * 2)

    def give_up(self, error: Exception) -> None:
        """Somebody held a lock, or the piece was too large: it was undone, and nothing is lost."""
        logger.warning("retention.piece_undone", extra={"size": self.size, "error": str(error)})
        if self.size == SMALLEST_SIZE and self.current is not None:
            self.avoided.add(self.current)
        self.size = SMALLEST_SIZE


@dataclass(slots=True)
class _Position:
    """Where a purge stands: a rule, a project (None: before the first), and a place within."""

    rule: int = 0
    project_id: UUID | None = None
    after: str = ""

    @classmethod
    def of(cls, purge: PurgeRun) -> "_Position":
        stored: dict[str, Any] = purge.position
        project = stored.get("project")
        return cls(stored.get("rule", 0), UUID(project) if project else None, stored.get("after", ""))

    def as_json(self) -> dict[str, Any]:
        project = str(self.project_id) if self.project_id else None
        return {"rule": self.rule, "project": project, "after": self.after}


def work(seconds: float, *, size: int = FIRST_SIZE, rest: float = REST) -> int:
    """Carry out what is begun, one piece at least and then for so long; returns the number of pieces.

    `size` is how many rows the first piece takes, `rest` how long to wait after each, in times of its own
    length. Opens its own scopes.
    """
    worker, pieces, until = _Worker(size), 0, time.monotonic() + seconds
    while not pieces or time.monotonic() < until:
        started = time.monotonic()
        try:
            if not _advance_one(worker):
                break
        except OperationalError as error:
            worker.give_up(error)
            continue
        pieces += 1
        took = time.monotonic() - started
        worker.learn(took)
        time.sleep(min(took * rest, LONGEST_REST_SECONDS))
    return pieces


def begin_nights(at: datetime | None = None) -> int:
    """Begin tonight's purge of organizations that had none yet; returns how many, at most a few."""
    now = at or timezone.now()
    night = night_of(now)
    with system_scope(), connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO retention_purgerun
                (id, organization_id, night, state, judged_at, started_at, position, counts, chunks,
                 longest_ms)
            SELECT {UUID7}, organization.id, %(night)s, 'running', %(now)s, %(now)s, '{{}}', '{{}}', 0, 0
            FROM tenants_organization AS organization
            WHERE organization.created_at < %(begun)s AND NOT EXISTS (
                SELECT FROM retention_purgerun AS purge WHERE purge.organization_id = organization.id
                    AND (purge.night = %(night)s OR purge.state = 'running'))
            ORDER BY organization.id LIMIT %(several)s
            ON CONFLICT DO NOTHING
            """,
            {"night": night, "begun": _beginning(night), "now": now, "several": BEGUN_AT_ONCE},
        )
        begun: int = cursor.rowcount
        if begun:
            cursor.execute(_FORGET, [first_of(now - REMEMBERED)])
    return begun


def night_of(moment: datetime) -> date:
    """The day that a night belongs to: it begins at two o'clock UTC."""
    return (moment - NIGHT_BEGINS).date()


def _beginning(night: date) -> datetime:
    return datetime(night.year, night.month, night.day, tzinfo=UTC) + NIGHT_BEGINS


def _advance_one(worker: _Worker) -> bool:
    """One piece of the purge that has had the fewest; False when none waits."""
    started = time.monotonic()
    with system_scope():
        with connection.cursor() as cursor:
            cursor.execute(_LIMITS)
        running = PurgeRun.all_organizations.filter(state=PurgeState.RUNNING).exclude(id__in=worker.avoided)
        purge = running.select_for_update(skip_locked=True).order_by("chunks", "id").first()
        if purge is None:
            return False
        worker.current = purge.id
        position = _Position.of(purge)
        if _advance(purge, position, worker.size):
            _finish(purge)
        purge.position = position.as_json()
        purge.chunks += 1
        purge.longest_ms = max(purge.longest_ms, round((time.monotonic() - started) * 1000))
        purge.save()
    return True


def _advance(purge: PurgeRun, position: _Position, size: int) -> bool:
    """Delete one piece, stepping over places with nothing due; True when there is nothing left."""
    settings = queries.load_settings(purge.organization_id)
    for _ in range(PLACES_AT_ONCE):
        if not _enter(purge, position):
            return True
        data_class = rules.RULES[position.rule].data_class
        found = selecting.due(
            settings, data_class, purge.organization_id, position.project_id, purge.judged_at
        )
        piece = sweeping.sweep(data_class, found, position.after, size) if found else NOTHING
        purge.counts = {**purge.counts, data_class: purge.counts.get(data_class, 0) + piece.gone}
        if piece.after is not None:
            position.after = piece.after
            return False
        _leave(purge, position)
        if piece.gone:
            return False
    return False


def _enter(purge: PurgeRun, position: _Position) -> bool:
    """Stand in a place: a rule, and a project where projects have their own. False after the last."""
    while position.rule < len(rules.RULES):
        if not rules.RULES[position.rule].per_project or position.project_id is not None:
            return True
        position.project_id = _project_after(purge.organization_id, None)
        if position.project_id is not None:
            return True
        position.rule += 1
    return False


def _leave(purge: PurgeRun, position: _Position) -> None:
    """On to the next project, or to the next rule."""
    if rules.RULES[position.rule].per_project:
        position.project_id = _project_after(purge.organization_id, position.project_id)
    position.rule += position.project_id is None
    position.after = ""


def _project_after(organization_id: UUID, project_id: UUID | None) -> UUID | None:
    projects = Project.all_organizations.filter(organization_id=organization_id)
    if project_id is not None:
        projects = projects.filter(id__gt=project_id)
    return projects.order_by("id").values_list("id", flat=True).first()


def _finish(purge: PurgeRun) -> None:
    purge.state, purge.ended_at = PurgeState.FINISHED, timezone.now()
    gone = {name: count for name, count in purge.counts.items() if count}
    # A night in which nothing was due changes nothing, so it leaves no event.
    if gone or purge.night is None:
        audit.record(
            actor=SYSTEM,
            action="purge.finished",
            target=purge,
            organization_id=purge.organization_id,
            changes={name: (count, 0) for name, count in gone.items()},
        )
