"""What is kept for how long: fine roll-ups that nobody reads any more, and facts that retention deletes."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection

from apps.analytics.counting.statements import GRAINS
from apps.core.ids import uuid7
from apps.core.scope import system_scope

AT_ONCE: Final = 5_000

_PURGE: Final = f"""
DELETE FROM analytics_rollup WHERE id IN (
    SELECT rollup.id FROM {GRAINS}
    JOIN analytics_rollup AS rollup ON rollup.grain = grains.grain AND rollup.starts_at < grains.kept_since
    LIMIT {AT_ONCE}
)
"""
_NOTE: Final = """
INSERT INTO analytics_keptfacts AS kept (id, organization_id, project_id, since) VALUES (%s, %s, %s, %s)
ON CONFLICT (organization_id, project_id) DO UPDATE SET since = greatest(kept.since, excluded.since)
"""


def purge_rollups() -> int:
    """Delete the five-minute and hour rows that are older than their grain is kept; returns how many."""
    total = 0
    while True:
        with system_scope(), connection.cursor() as cursor:
            cursor.execute(_PURGE)
            deleted: int = cursor.rowcount
        total += deleted
        if deleted < AT_ONCE:
            return total


def note_purged_facts(*, organization_id: UUID, project_id: UUID, until: datetime) -> None:
    """Say that run facts of a project from before `until` may be gone: its roll-ups stay as they are.

    For the transaction that deletes the first of them, under the system role.
    """
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, [uuid7(), organization_id, project_id, until])
