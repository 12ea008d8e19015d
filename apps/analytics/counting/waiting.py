"""Counting what waits: runs that were written and feedback that was changed since the last turn.

One transaction deletes waiting rows and adds what they stand for to the roll-ups, so everything is counted
exactly once, however late it comes and whatever is killed. Runs themselves are only read.
"""

import time
from typing import Any, Final

from django.db import connection

from apps.analytics.counting.statements import ADD, ADDITION, SEGMENTS
from apps.core.scope import system_scope

# The number of the advisory lock that lets one counter work at a time.
LOCK: Final = 7_340_312
RUNS_AT_ONCE: Final = 10_000
ROWS_AT_ONCE: Final = 1_000
TURN_SECONDS: Final = 20.0

# A row holds the runs of one group commit, up to 64; oldest first.
_TAKE_RUNS: Final = """
DELETE FROM runs_uncountedruns WHERE id IN (
    SELECT id FROM (
        SELECT id, sum(cardinality(run_ids)) OVER (ORDER BY id) - cardinality(run_ids) AS before
        FROM (SELECT id, run_ids FROM runs_uncountedruns ORDER BY id LIMIT %s) AS oldest
    ) AS each WHERE before < %s
) RETURNING organization_id::text, run_ids::text
"""
_TAKE_FEEDBACK: Final = """
DELETE FROM runs_uncountedfeedback WHERE id IN (
    SELECT id FROM runs_uncountedfeedback ORDER BY id LIMIT %s
) RETURNING organization_id::text, run_id::text, score_sum, score_count
"""
# A row that names another organization's run counts nothing, nor does what is left of a deleted one's.
_COUNT: Final = f"""
WITH taken AS (
    SELECT organization_id, id, true AS counted, 0 AS score_sum, 0 AS score_count
    FROM unnest(%(organizations)s::uuid[], %(groups)s::text[]) AS runs(organization_id, ids)
    CROSS JOIN unnest(ids::uuid[]) AS id
    UNION ALL
    SELECT * FROM unnest(
        %(voice_organizations)s::uuid[], %(voice_runs)s::uuid[], %(voice_counted)s::boolean[],
        %(voice_sums)s::int[], %(voice_counts)s::int[]
    )
), added AS (
    SELECT organization_id, id, bool_or(counted) AS counted, sum(score_sum) AS score_sum,
        sum(score_count) AS score_count
    FROM taken GROUP BY organization_id, id
), source AS (
    SELECT run.*, added.counted, added.score_sum, added.score_count
    FROM added
    JOIN runs_run AS run ON run.id = added.id AND run.organization_id = added.organization_id
    WHERE run.id = ANY(%(all_ids)s::uuid[])
      AND EXISTS (SELECT FROM tenants_organization AS kept WHERE kept.id = run.organization_id)
), {ADDITION}, segment_written AS ({SEGMENTS}), rollup_written AS ({ADD})
SELECT count(*) FILTER (WHERE requests > 0) FROM fact
"""


def count_waiting(*, seconds: float = TURN_SECONDS) -> int:
    """Count everything that waits, for at most about so many seconds; returns how many runs.

    Called outside every scope. Another counter at work: 0.
    """
    until = time.monotonic() + seconds
    total = 0
    while time.monotonic() < until:
        counted = _count_some()
        if counted is None:
            break
        total += counted
    return total


def take_lock() -> bool:
    """Whether this transaction is now the only one that counts."""
    with connection.cursor() as cursor:
        # Ends with the transaction: session locks don't survive a transaction-mode pooler.
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        row = cursor.fetchone()
    return bool(row and row[0])


def _count_some() -> int | None:
    """One transaction; None when nothing waits or another counts."""
    with system_scope():
        if not take_lock():
            return None
        with connection.cursor() as cursor:
            # Compiling the statement takes longer than running it.
            cursor.execute("SET LOCAL jit = off")
            cursor.execute(_TAKE_RUNS, [ROWS_AT_ONCE, RUNS_AT_ONCE])
            groups = cursor.fetchall()
            cursor.execute(_TAKE_FEEDBACK, [RUNS_AT_ONCE])
            voices = cursor.fetchall()
            if not groups and not voices:
                return None
            cursor.execute(_COUNT, _parameters(groups, voices))
            row = cursor.fetchone()
    return int(row[0]) if row else 0


def _parameters(groups: list[tuple[Any, ...]], voices: list[tuple[Any, ...]]) -> dict[str, Any]:
    """Ids stay the text that they came as: thousands of objects would only be written out again."""
    told = [voice[1] for voice in voices]
    return {
        "organizations": [organization for organization, _ in groups],
        "groups": [ids for _, ids in groups],
        "voice_organizations": [voice[0] for voice in voices],
        "voice_runs": told,
        "voice_counted": [False] * len(voices),
        "voice_sums": [voice[2] for voice in voices],
        "voice_counts": [voice[3] for voice in voices],
        # Literal ids beside the join: partitions that hold none of them are left out when it is planned.
        "all_ids": f"{{{','.join([*(ids.strip('{}') for _, ids in groups if ids != '{}'), *told])}}}",
    }
