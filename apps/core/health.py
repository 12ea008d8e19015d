"""Whether a process lives (/healthz) and whether it can do its work (/readyz): plain functions.

`areadiness` is for an event loop. The public answer names each check and nothing else.
"""

import asyncio
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from django.conf import settings
from django.db import DatabaseError, connection, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from apps.core import redis
from apps.core.checks import has_dangerous_role
from apps.core.extensions import VECTOR, has_extension
from apps.core.logs import get_logger
from apps.core.partitions import partitions_ahead

# Weekly partitions are made 14 days ahead; fewer than two days left means that cron has been dead for long.
LEAST_DAYS_AHEAD: Final = 2
# Anybody may ask, so an answer is kept for a moment.
KEPT_SECONDS: Final = 1.0

logger = get_logger(__name__)
_lock = threading.Lock()
_last: tuple[float, "Health"] | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """The outcome of each check. What is only told: neither Redis nor pgvector must be there to be ready."""

    checks: dict[str, bool]
    notes: dict[str, bool]

    @property
    def status(self) -> int:
        return 200 if all(self.checks.values()) else 503

    def body(self) -> dict[str, object]:
        """The JSON answer."""
        state = "ok" if self.status == 200 else "unavailable"
        return {"status": state, "process": settings.PROCESS, "checks": self.checks | self.notes}


def liveness() -> Health:
    """The process answers; nothing else is asked, so that a database outage restarts nothing."""
    return Health(checks={}, notes={})


def readiness() -> Health:
    """Postgres answers, every migration is applied, partitions lie ahead; in production also the role."""
    global _last
    with _lock:
        if _last is not None and time.monotonic() - _last[0] < KEPT_SECONDS:
            return _last[1]
        found = _check()
        _last = (time.monotonic(), found)
        return found


async def areadiness() -> Health:
    """`readiness` for an event loop; works in a thread, whose database connection is closed again."""
    return await asyncio.to_thread(_readiness_in_thread)


def _readiness_in_thread() -> Health:
    try:
        return readiness()
    finally:
        connections.close_all()


def _check() -> Health:
    checks = {"database": False, "migrations": False, "partitions": False}
    can_compare = False
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        checks["database"] = True
        checks["migrations"] = not unapplied_migrations()
        if settings.PRODUCTION:
            checks["role"] = not has_dangerous_role()
        checks["partitions"] = all(found.days_ahead >= LEAST_DAYS_AHEAD for found in partitions_ahead())
        can_compare = has_extension(VECTOR)
    except DatabaseError as error:
        logger.warning("readiness.failed", extra={"error": str(error)})
        connection.close_if_unusable_or_obsolete()
    return Health(checks=checks, notes={"redis": _redis_answers(), "semantic_cache": can_compare})


def unapplied_migrations() -> set[tuple[str, str]]:
    """Migrations of this code that the database has not seen."""
    return set(_own_migrations()) - set(MigrationRecorder(connection).applied_migrations())


@lru_cache(maxsize=1)
def _own_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


def _redis_answers() -> bool:
    try:
        return bool(redis.client().ping())
    except redis.DEAD_REDIS:
        return False
