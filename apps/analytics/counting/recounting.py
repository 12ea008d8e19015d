"""Counting again from the runs and the feedback themselves, and what the roll-ups say otherwise.

A UTC day is one statement and so sees one moment: what waits then belongs to neither side. Days whose facts
retention has begun to delete are left alone, and so are periods whose grain isn't kept any more.
"""

import json
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from apps.analytics.counting.statements import ADDITION, GRAINS, NUMBERS, REPLACE, SEGMENTS
from apps.analytics.counting.waiting import take_lock
from apps.core.ids import first_of
from apps.core.scope import system_scope

MOST_TOLD: Final = 1_000
LOCK_WAIT_SECONDS: Final = 120.0

# The organization is compared in every table on its own: each has an index that begins with it.
_OF_ORGANIZATION: Final = "(%(organization)s::uuid IS NULL OR {0}.organization_id = %(organization)s::uuid)"
_FACTS_KEPT: Final = """NOT EXISTS (
        SELECT FROM analytics_keptfacts AS kept
        WHERE kept.organization_id = {0}.organization_id AND kept.project_id = {0}.project_id
          AND kept.since > %(start)s
    )"""

_SOURCE: Final = f"""
source AS (
    SELECT * FROM (
        SELECT run.*, waiting.id IS NULL AS counted,
            coalesce(given.score_sum, 0) - coalesce(later.score_sum, 0) AS score_sum,
            coalesce(given.score_count, 0) - coalesce(later.score_count, 0) AS score_count
        FROM runs_run AS run
        LEFT JOIN (
            SELECT organization_id, unnest(run_ids) AS id FROM runs_uncountedruns AS uncounted
            WHERE {_OF_ORGANIZATION.format("uncounted")}
        ) AS waiting ON waiting.id = run.id AND waiting.organization_id = run.organization_id
        LEFT JOIN (
            SELECT organization_id, run_id, sum(score) AS score_sum, count(score) AS score_count
            FROM runs_feedback AS feedback
            WHERE run_id >= %(first)s AND run_id < %(last)s AND {_OF_ORGANIZATION.format("feedback")}
            GROUP BY organization_id, run_id
        ) AS given ON given.run_id = run.id AND given.organization_id = run.organization_id
        LEFT JOIN (
            SELECT organization_id, run_id, sum(score_sum) AS score_sum, sum(score_count) AS score_count
            FROM runs_uncountedfeedback AS uncounted
            WHERE run_id >= %(first)s AND run_id < %(last)s AND {_OF_ORGANIZATION.format("uncounted")}
            GROUP BY organization_id, run_id
        ) AS later ON later.run_id = run.id AND later.organization_id = run.organization_id
        WHERE run.id >= %(first)s AND run.id < %(last)s AND {_OF_ORGANIZATION.format("run")}
          AND {_FACTS_KEPT.format("run")}
    ) AS each WHERE counted OR score_sum <> 0 OR score_count <> 0
)"""

# A row of nothing but zeros says the same as no row.
_STORED: Final = f"""
stored AS MATERIALIZED (
    SELECT rollup.* FROM analytics_rollup AS rollup
    JOIN {GRAINS} ON grains.grain = rollup.grain AND rollup.starts_at >= grains.kept_since
    JOIN analytics_segment AS segment
        ON segment.id = rollup.segment_id AND segment.organization_id = rollup.organization_id
    WHERE rollup.starts_at >= %(start)s AND rollup.starts_at < %(end)s
      AND {_OF_ORGANIZATION.format("rollup")} AND {_FACTS_KEPT.format("segment")}
      AND (rollup.requests <> 0 OR rollup.feedback_count <> 0 OR rollup.feedback_sum <> 0)
)"""

_SIDES: Final = ", ".join(
    f"ROW({', '.join(f'{side}.{name}' for name in NUMBERS)})" for side in ("addition", "stored")
)
_DIFFERENCE: Final = f"""
difference AS MATERIALIZED (
    SELECT coalesce(addition.id, stored.id) AS id,
        coalesce(addition.organization_id, stored.organization_id) AS organization_id,
        coalesce(addition.segment_id, stored.segment_id) AS segment_id,
        coalesce(addition.grain, stored.grain) AS grain,
        coalesce(addition.starts_at, stored.starts_at) AS starts_at,
        addition.id IS NULL AS is_surplus, to_jsonb(stored) AS told, to_jsonb(addition) AS recounted
    FROM addition FULL JOIN stored ON stored.id = addition.id
    WHERE {_SIDES.replace(", ROW", " IS DISTINCT FROM ROW")}
)"""

_HEART: Final = f"WITH {_SOURCE}, {ADDITION}, {_STORED}, {_DIFFERENCE}"
_RESULT: Final = f"""
SELECT (SELECT count(*) FROM fact WHERE requests = 1), (SELECT count(*) FROM addition),
    (SELECT count(*) FROM difference),
    (SELECT coalesce(jsonb_agg(each), '[]')::text FROM (
        SELECT * FROM difference ORDER BY starts_at, grain, id LIMIT {MOST_TOLD}
    ) AS each)"""
_COMPARE: Final = f"{_HEART} {_RESULT}"
_REPAIR: Final = f"""{_HEART}, segment_written AS ({SEGMENTS}), removed AS (
    DELETE FROM analytics_rollup WHERE id IN (SELECT id FROM difference WHERE is_surplus)
), replaced AS ({REPLACE}) {_RESULT}"""


@dataclass(frozen=True, slots=True)
class Difference:
    """A roll-up that says something else than the recount. `columns` gives both values of each number."""

    organization_id: UUID
    segment_id: UUID
    grain: int
    starts_at: datetime
    columns: dict[str, tuple[Any, Any]]

    def __str__(self) -> str:
        told = ", ".join(f"{name} {old!r} but {new!r}" for name, (old, new) in self.columns.items())
        return f"{self.starts_at:%Y-%m-%d %H:%M}, {self.grain} minutes, segment {self.segment_id}: {told}"


@dataclass(frozen=True, slots=True)
class DayRecount:
    """What a recount of one UTC day found; `differences` holds the first thousand of `different`."""

    day: date
    runs: int
    rollups: int
    different: int
    differences: tuple[Difference, ...]


def recount_day(day: date, *, organization_id: UUID | None = None, repair: bool = False) -> DayRecount:
    """Count a day again, of one organization or of all, and with `repair` write what the recount says.

    Called outside every scope. Raises TimeoutError when a repair doesn't get its turn beside the job.
    """
    until = time.monotonic() + LOCK_WAIT_SECONDS
    while time.monotonic() < until:
        with system_scope():
            if not repair or take_lock():
                return recount_here(day, organization_id=organization_id, repair=repair)
        time.sleep(0.05)
    raise TimeoutError("The roll-up job did not pause for the repair. Try again.")


def recount_here(day: date, *, organization_id: UUID | None = None, repair: bool = False) -> DayRecount:
    """`recount_day` in the transaction that is open under the system role, with the lock if it repairs.

    A snapshot from before the lock would undo what was counted meanwhile, so each statement must see its own.
    """
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    end = start + timedelta(days=1)
    values: dict[str, Any] = {
        "start": start,
        "end": end,
        "first": first_of(start),
        "last": first_of(end),
        "organization": organization_id,
    }
    with connection.cursor() as cursor:
        # A busy installation's day may take longer than the queries of pages and jobs.
        cursor.execute("SET LOCAL statement_timeout = '10min'; SET LOCAL jit = off")
        cursor.execute(_REPAIR if repair else _COMPARE, values)
        runs, rollups, different, told = cursor.fetchone()
    return DayRecount(day, runs, rollups, different, tuple(map(_difference, json.loads(told))))


def _difference(row: dict[str, Any]) -> Difference:
    told, recounted = row["told"] or {}, row["recounted"] or {}
    columns = {
        name: (told.get(name), recounted.get(name))
        for name in NUMBERS
        if told.get(name) != recounted.get(name)
    }
    return Difference(
        organization_id=UUID(row["organization_id"]),
        segment_id=UUID(row["segment_id"]),
        grain=row["grain"],
        starts_at=datetime.fromisoformat(row["starts_at"]),
        columns=columns,
    )
