"""Tables partitioned by week, on the time inside their UUIDv7 keys.

The application role owns nothing, so partitions are made by one SECURITY DEFINER function, at migrate and
by cron. Nothing is ever granted on a partition: read by its own name it would escape its parent's policy.
A row that finds no partition lands in the DEFAULT one, which raises an alarm and is emptied as soon as
the missing partition is made.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.db import OperationalError, connection
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.models import CreateModel
from django.db.migrations.state import ProjectState

from apps.core.logs import get_logger
from apps.core.row_security import APP_ROLE, SYSTEM_ROLE
from apps.core.scope import system_scope

DAYS_AHEAD: Final = 14
OVERFLOW_COUNTED: Final = 1_000
# Whole weeks before the present one whose partitions stay even when empty: late rows find their place.
WEEKS_KEPT: Final = 2

logger = get_logger(__name__)

FUNCTIONS: Final = f"""
CREATE OR REPLACE FUNCTION promptsaas_ensure_partitions(parent text, days_ahead integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    week date := date_trunc('week', now() AT TIME ZONE 'UTC')::date;
    name text;
    low uuid;
    high uuid;
    made integer := 0;
BEGIN
    IF days_ahead NOT BETWEEN 0 AND 60 THEN
        RAISE EXCEPTION 'days_ahead must lie between 0 and 60';
    END IF;
    IF NOT EXISTS (
        SELECT FROM pg_class
        WHERE relname = parent AND relkind = 'p' AND relnamespace = 'public'::regnamespace
    ) THEN
        RAISE EXCEPTION '% is not a partitioned table', parent;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('promptsaas_ensure_partitions'));
    WHILE week <= today + days_ahead LOOP
        name := parent || '_p' || to_char(week, 'YYYYMMDD');
        IF to_regclass(format('public.%I', name)) IS NULL THEN
            low := rpad(lpad(to_hex(extract(epoch FROM week)::bigint * 1000), 12, '0'), 32, '0')::uuid;
            high := rpad(lpad(to_hex(extract(epoch FROM week + 7)::bigint * 1000), 12, '0'), 32, '0')::uuid;
            -- ATTACH locks the parent far less than CREATE TABLE ... PARTITION OF does.
            EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING ALL)', name, parent);
            EXECUTE format(
                'WITH stray AS (DELETE FROM public.%I WHERE id >= %L AND id < %L RETURNING *) '
                'INSERT INTO public.%I SELECT * FROM stray',
                parent || '_default', low, high, name);
            EXECUTE format(
                'ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                parent, name, low, high);
            made := made + 1;
        END IF;
        week := week + 7;
    END LOOP;
    RETURN made;
END
$body$;

CREATE OR REPLACE FUNCTION promptsaas_partition_overflow(parent text)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$
DECLARE
    rows integer;
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_class
        WHERE relname = parent AND relkind = 'p' AND relnamespace = 'public'::regnamespace
    ) THEN
        RAISE EXCEPTION '% is not a partitioned table', parent;
    END IF;
    EXECUTE format(
        'SELECT count(*) FROM (SELECT FROM public.%I LIMIT {OVERFLOW_COUNTED}) stray', parent || '_default'
    ) INTO rows;
    RETURN rows;
END
$body$;

REVOKE ALL ON FUNCTION promptsaas_ensure_partitions(text, integer), promptsaas_partition_overflow(text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION promptsaas_ensure_partitions(text, integer), promptsaas_partition_overflow(text)
    TO {APP_ROLE}, {SYSTEM_ROLE};
"""

# In a migration of its own, since the functions above were made by the first one.
DROP_FUNCTION: Final = f"""
CREATE FUNCTION promptsaas_drop_empty_partition(parent text, weeks_kept integer)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '200ms' AS $body$
DECLARE
    oldest date := date_trunc('week', now() AT TIME ZONE 'UTC')::date - 7 * weeks_kept;
    name text;
    filled boolean;
BEGIN
    IF weeks_kept < 1 THEN
        RAISE EXCEPTION 'the present week and the one before it are kept';
    END IF;
    IF NOT EXISTS (
        SELECT FROM pg_class
        WHERE relname = parent AND relkind = 'p' AND relnamespace = 'public'::regnamespace
    ) THEN
        RAISE EXCEPTION '% is not a partitioned table', parent;
    END IF;
    FOR name IN
        SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = pg_inherits.inhrelid
        WHERE pg_inherits.inhparent = format('public.%I', parent)::regclass
          AND child.relname ~ '_p[0-9]{{8}}$' AND to_date(right(child.relname, 8), 'YYYYMMDD') < oldest
        ORDER BY child.relname
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', name) INTO filled;
        CONTINUE WHEN filled;
        -- Dropping needs this lock, for a moment; taken first and in the writers' order, it can't deadlock.
        EXECUTE format('LOCK TABLE ONLY public.%I IN ACCESS EXCLUSIVE MODE', parent);
        -- A row may have come before the lock.
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', name) INTO filled;
        IF NOT filled THEN
            EXECUTE format('DROP TABLE public.%I', name);
            RETURN name;
        END IF;
    END LOOP;
    RETURN NULL;
END
$body$;
REVOKE ALL ON FUNCTION promptsaas_drop_empty_partition(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION promptsaas_drop_empty_partition(text, integer) TO {SYSTEM_ROLE};
"""
NO_DROP_FUNCTION: Final = "DROP FUNCTION promptsaas_drop_empty_partition(text, integer);"

_PARTITIONED_TABLES: Final = """
SELECT parent.relname, max(right(child.relname, 8)) FILTER (WHERE child.relname ~ '_p[0-9]{8}$')
FROM pg_partitioned_table partitioned
JOIN pg_class parent ON parent.oid = partitioned.partrelid
LEFT JOIN pg_inherits ON pg_inherits.inhparent = parent.oid
LEFT JOIN pg_class child ON child.oid = pg_inherits.inhrelid
WHERE parent.relnamespace = 'public'::regnamespace
GROUP BY parent.relname ORDER BY parent.relname
"""


class CreatePartitionedModel(CreateModel):
    """CreateModel for a table partitioned by week of its UUIDv7 `id`, with its first partitions.

    Such a table can hold no unique constraint besides its key, and nothing may have a foreign key to it:
    a partition that a foreign key points at can't be dropped.
    """

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        model: Any = to_state.apps.get_model(app_label, self.name)
        table = model._meta.db_table
        editor: Any = schema_editor
        create, parameters = editor.table_sql(model)
        editor.execute(f"{create} PARTITION BY RANGE (id)", parameters or None)
        editor.execute(FUNCTIONS, None)
        editor.execute(f'CREATE TABLE "{table}_default" PARTITION OF "{table}" DEFAULT', None)
        editor.execute("SELECT promptsaas_ensure_partitions(%s, %s)", [table, DAYS_AHEAD])
        editor.deferred_sql.extend(editor._model_indexes_sql(model))

    def describe(self) -> str:
        return f"Create partitioned model {self.name}"


@dataclass(frozen=True, slots=True)
class PartitionState:
    """How far a table's partitions reach: whole days after today that have one (-1: not even today)."""

    table: str
    days_ahead: int


def ensure_partitions(table: str, days_ahead: int = DAYS_AHEAD) -> int:
    """Make the missing partitions of a table up to `days_ahead` days from now; returns how many.

    Locks the DEFAULT partition for a moment, so it may raise OperationalError under `lock_timeout`;
    the next turn of cron tries again.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT promptsaas_ensure_partitions(%s, %s)", [table, days_ahead])
        return int(cursor.fetchone()[0])


def ensure_all_partitions(days_ahead: int = DAYS_AHEAD) -> int:
    """Make the missing partitions of every partitioned table; cron calls it. Returns how many."""
    made = sum(ensure_partitions(state.table, days_ahead) for state in partitions_ahead())
    for table, rows in overflowing().items():
        logger.error("partition.overflow", extra={"table": table, "rows": rows})
    return made


def drop_empty_partitions() -> list[str]:
    """Drop the partitions of past weeks that hold no row any more; cron calls it. Returns their names.

    Each goes in a transaction of its own, whose lock on the parent is waited for a fifth of a second: under
    load it is left for the next turn.
    """
    dropped = []
    for state in partitions_ahead():
        while (name := _drop_one(state.table)) is not None:
            logger.info("partition.dropped", extra={"partition": name})
            dropped.append(name)
    return dropped


def _drop_one(table: str) -> str | None:
    try:
        with system_scope(), connection.cursor() as cursor:
            cursor.execute("SELECT promptsaas_drop_empty_partition(%s, %s)", [table, WEEKS_KEPT])
            name: str | None = cursor.fetchone()[0]
    except OperationalError as error:
        logger.info("partition.in_use", extra={"table": table, "error": str(error)})
        return None
    return name


def partitions_ahead() -> list[PartitionState]:
    """Every partitioned table with the days that its partitions still cover (for /readyz)."""
    today = datetime.now(UTC).date()
    with connection.cursor() as cursor:
        cursor.execute(_PARTITIONED_TABLES)
        rows = cursor.fetchall()
    return [PartitionState(table, _covered_days(last, today.toordinal())) for table, last in rows]


def _covered_days(last_week: str | None, today: int) -> int:
    if last_week is None:
        return -1
    first_day = datetime.strptime(last_week, "%Y%m%d").replace(tzinfo=UTC).toordinal()
    return first_day + 6 - today


def overflowing() -> dict[str, int]:
    """Tables whose DEFAULT partition holds rows, with their number (counted up to 1,000): an alarm."""
    found = {}
    with connection.cursor() as cursor:
        for state in partitions_ahead():
            cursor.execute("SELECT promptsaas_partition_overflow(%s)", [state.table])
            rows = int(cursor.fetchone()[0])
            if rows:
                found[state.table] = rows
    return found
