"""Which state of Postgres is told, by which statement: one table.

Every statement reads an index or a handful of rows, whatever the number of organizations; what could grow
without bound is counted up to a limit. Ages of UUIDv7 keys come from the keys themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from apps.batches.claims import IN_FLIGHT, PUMPABLE

# Beyond this "many" is all that an operator needs to know.
COUNTED: Final = 100_000


@dataclass(frozen=True, slots=True)
class Family:
    """One metric of a reading: a column of its own, or a sample a row where the reading has labels."""

    name: str
    help_text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A statement and what its rows mean.

    Without `label` there is one row, a column for each family. With it each row is a label's value and then a
    column for each family. NULL is "nothing to tell": no sample.
    """

    query: str
    families: tuple[Family, ...]
    label: str = ""
    as_system: bool = True

    def told(self, rows: Sequence[Sequence[Any]]) -> list[Metric]:
        """The families with what the rows say."""
        labels = (self.label,) if self.label else ()
        found = [GaugeMetricFamily(each.name, each.help_text, labels=labels) for each in self.families]
        for row in rows:
            names, values = row[: len(labels)], row[len(labels) :]
            for family, value in zip(found, values, strict=True):
                if value is not None:
                    family.add_metric([str(name) for name in names], float(value))
        return list(found)


_BATCH_ROWS: Final = Reading(
    """
    SELECT state, sum(rows) FROM batches_batchjob CROSS JOIN LATERAL (VALUES
        ('pending', pending), ('running', running), ('succeeded', succeeded), ('failed', failed),
        ('cancelled', cancelled)) AS counted(state, rows)
    WHERE status IN ('validating', 'in_progress', 'finalizing', 'cancelling') GROUP BY state
    """,
    (Family("promptsaas_batch_rows", "Rows of batches that are not over, by what became of them."),),
    label="state",
)
_BATCH_JOBS: Final = Reading(
    """
    SELECT count(*), coalesce(extract(epoch FROM now() - min(coalesce(start_at, created_at))
        FILTER (WHERE pending > 0 AND status = 'in_progress')), 0)
    FROM batches_batchjob WHERE status IN ('validating', 'in_progress', 'finalizing', 'cancelling')
    """,
    (
        Family("promptsaas_batch_jobs", "Batches that are not over."),
        Family("promptsaas_batch_oldest_waiting_age_seconds", "Age of the oldest batch with rows that wait."),
    ),
)
_BATCH_SLOTS: Final = Reading(
    # The same as pumps are rung by: see `batches.services.ringing`.
    f"""
    SELECT coalesce(sum(claimable), 0),
        coalesce(sum(least(concurrency, ceil((claimable + running)::numeric / rows_per_call))), 0)
    FROM (SELECT {PUMPABLE} AS claimable, {IN_FLIGHT} AS running, concurrency,
            coalesce((work ->> 'rows_per_call')::integer, 1) AS rows_per_call
        FROM batches_batchjob AS job WHERE status = 'in_progress') AS open
    """,
    (
        Family("promptsaas_batch_claimable_rows", "Rows that wait for a worker and for nothing else."),
        Family("promptsaas_batch_wanted_slots", "Calls at once that batches have use for, running ones too."),
    ),
)


def _pumps(table: str, kind: str, what: str) -> Reading:
    return Reading(
        f"""
        SELECT state, count(pump), coalesce(sum(slots), 0) FROM (VALUES ('rung'), ('working'), ('draining'))
            AS states(state)
        LEFT JOIN (SELECT id AS pump, slots, CASE WHEN started_at IS NULL THEN 'rung'
            WHEN slots = 0 THEN 'draining' ELSE 'working' END AS state
            FROM {table} WHERE expires_at > now()) AS alive USING (state)
        GROUP BY state
        """,
        (
            Family(f"promptsaas_{kind}_pumps", f"Workers that carry out {what}, by how far they are."),
            Family(f"promptsaas_{kind}_pump_slots", f"Calls at once that the workers for {what} can have."),
        ),
        label="state",
    )


_BACKGROUND_RUNS: Final = Reading(
    f"""
    SELECT queued, queued + (SELECT count(*) FROM runs_backgroundrun WHERE status = 'running'),
        coalesce((SELECT extract(epoch FROM now() - created_at) FROM runs_backgroundrun
            WHERE status = 'queued' ORDER BY expires_at LIMIT 1), 0)
    FROM (SELECT count(*) AS queued
        FROM (SELECT FROM runs_backgroundrun WHERE status = 'queued' LIMIT {COUNTED}) AS found) AS counted
    """,
    (
        Family("promptsaas_background_waiting_runs", "Background runs that wait for a worker."),
        Family("promptsaas_background_wanted_slots", "Background runs that wait or are under way."),
        Family(
            "promptsaas_background_oldest_waiting_age_seconds",
            "Age of the run that waits longest.",
        ),
    ),
)
_PARTITIONS: Final = Reading(
    """
    SELECT parent.relname,
        to_date(max(right(child.relname, 8)) FILTER (WHERE child.relname ~ '_p[0-9]{8}$'), 'YYYYMMDD') + 6
            - (now() AT TIME ZONE 'UTC')::date,
        promptsaas_partition_overflow(parent.relname)
    FROM pg_partitioned_table AS partitioned
    JOIN pg_class AS parent ON parent.oid = partitioned.partrelid
    LEFT JOIN pg_inherits ON pg_inherits.inhparent = parent.oid
    LEFT JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
    WHERE parent.relnamespace = 'public'::regnamespace GROUP BY parent.relname
    """,
    (
        Family("promptsaas_partition_headroom_days", "Days after today that a table has partitions for."),
        Family("promptsaas_partition_overflow_rows", "Rows that found no partition, counted up to 1,000."),
    ),
    label="table",
)


def _waiting(table: str, due: str, name: str, what: str) -> Reading:
    return Reading(
        f"""
        SELECT (SELECT count(*) FROM (SELECT FROM {table} WHERE {due} LIMIT {COUNTED}) AS found),
            coalesce((SELECT extract(epoch FROM now() - min(created_at)) FROM {table} WHERE {due}), 0)
        """,
        (
            Family(f"promptsaas_{name}_waiting", f"{what} that wait to be delivered."),
            Family(f"promptsaas_{name}_oldest_age_seconds", f"Age of the oldest of the {what.lower()}."),
        ),
    )


def _given_up(table: str, name: str, what: str) -> Reading:
    # Apart from those that wait: there is no index, so it may take too long.
    return Reading(
        f"SELECT count(*) FROM (SELECT FROM {table} WHERE failed_at IS NOT NULL LIMIT {COUNTED}) AS found",
        (Family(f"promptsaas_{name}_failed", f"{what} that were given up."),),
    )


def _uncounted(table: str, rows: str) -> str:
    return f"(SELECT coalesce(sum({rows}), 0) FROM (SELECT * FROM {table} LIMIT {COUNTED}) AS found)"


def _since(table: str) -> str:
    # Postgres 16 has no function for the time of a UUIDv7, which is its first 48 bits in milliseconds.
    milliseconds = "('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint"
    return f"(SELECT to_timestamp({milliseconds} / 1000.0) FROM {table} ORDER BY id LIMIT 1)"


_ROLLUPS: Final = Reading(
    f"""
    SELECT {_uncounted("runs_uncountedruns", "cardinality(run_ids)")},
        {_uncounted("runs_uncountedfeedback", "1")},
        coalesce(extract(epoch FROM now() - least(
            {_since("runs_uncountedruns")}, {_since("runs_uncountedfeedback")})), 0)
    """,
    (
        Family("promptsaas_rollup_waiting_runs", "Runs that no roll-up has counted yet."),
        Family("promptsaas_rollup_waiting_feedback", "Feedback that no roll-up has counted yet."),
        Family("promptsaas_rollup_lag_seconds", "How long the oldest of them has waited; 0 when none does."),
    ),
)
_CONNECTIONS: Final = Reading(
    """
    SELECT coalesce(state, 'other'), count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' GROUP BY 1
    """,
    (Family("promptsaas_database_connections", "Connections to the database, by state."),),
    label="state",
    as_system=False,
)
_DATABASE: Final = Reading(
    "SELECT current_setting('max_connections'), pg_database_size(current_database())",
    (
        Family("promptsaas_database_max_connections", "Connections that Postgres allows in all."),
        Family("promptsaas_database_size_bytes", "Size of the database."),
    ),
    as_system=False,
)

READINGS: Final = (
    _BATCH_ROWS,
    _BATCH_JOBS,
    _BATCH_SLOTS,
    _pumps("batches_pump", "batch", "batches"),
    _BACKGROUND_RUNS,
    _pumps("runs_backgroundpump", "background", "background runs"),
    _PARTITIONS,
    _waiting("core_outboxmessage", "failed_at IS NULL", "outbox", "Messages of the outbox"),
    _given_up("core_outboxmessage", "outbox", "Messages of the outbox"),
    _waiting("core_outgoingmail", "sent_at IS NULL AND failed_at IS NULL", "mail", "Mails"),
    _given_up("core_outgoingmail", "mail", "Mails"),
    _ROLLUPS,
    _CONNECTIONS,
    _DATABASE,
)
