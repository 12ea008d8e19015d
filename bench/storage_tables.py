"""The tables of `bench.storage`. Import it once Django is set up."""

import os
import time
from pathlib import Path
from typing import Final

from django.db import connection

from apps.audit.actor import SYSTEM
from apps.batches import services
from apps.batches.pump import Times
from apps.batches.services.starting import BatchOptions
from apps.core.scope import organization_scope
from apps.datasets.models import DatasetVersion
from apps.runs.types import PromptReference
from tests.batches.support import reload, run_batch_pump
from tests.factories import make_content, make_dataset_version, make_project, make_prompt

OF_A_RUN: Final = ("runs_run", "runs_runpayload", "billing_usageevent", "billing_usagekey")
OF_A_BATCH: Final = ("batches_batchitem", "datasets_datasetrow")
MOST_SECONDS: Final = 120

# Words that differ, or the pages would hold better compressed text than customers write.
_ADD_ROWS: Final = """
INSERT INTO datasets_datasetrow
    (id, organization_id, dataset_version_id, number, variables, expected, metadata)
SELECT gen_random_uuid(), %(organization)s, %(version)s, number,
    jsonb_build_object('review', left((
        SELECT string_agg(md5(number::text || part::text), ' ')
        FROM generate_series(1, 1 + %(characters)s / 33) AS part), %(characters)s)), 'Positive', '{}'
FROM generate_series(4, %(rows)s) AS number
"""
_SIZE: Final = """
SELECT sum(pg_table_size(relid)), sum(pg_indexes_size(relid))
FROM (SELECT relid FROM pg_partition_tree(%(table)s) WHERE isleaf
    UNION SELECT %(table)s::regclass) AS relations
"""


def measure(rows: int, characters: int) -> int:
    """Fill, run, print; 1 when not every row came to an end in time."""
    project = make_project()
    prompt = make_prompt(project=project, content=make_content())
    version = _widen(make_dataset_version(project=project), rows, characters)
    with organization_scope(project.organization_id):
        job = services.start_batch(
            actor=SYSTEM,
            project=project,
            prompt=PromptReference(prompt.name, number=1),
            dataset_version=version,
            options=BatchOptions(concurrency=64),
        )
    before, own_before, log_before = _postgres_seconds(), time.process_time(), _written()
    until = time.monotonic() + MOST_SECONDS
    while reload(job).finished < rows and time.monotonic() < until:
        run_batch_pump(Times(run=20.0))
    done = reload(job)
    print(f"{done.succeeded:,} of {rows:,} rows with {characters:,} characters succeeded")
    own = time.process_time() - own_before
    print(f"{1e6 * own / rows:,.0f} µs of a core in the pump, without a provider over HTTP, for each")
    print(f"{1e6 * (_postgres_seconds() - before) / rows:,.0f} µs of a core in Postgres for each")
    print(f"{(_written() - log_before) / rows:,.0f} bytes of write-ahead log for each\n")
    _print_tables(rows)
    return int(done.succeeded < rows)


def _postgres_seconds() -> float:
    """Processor time of the server and all its processes, those that have ended too."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        server = _stat(int(cursor.fetchone()[0]))[1]
    of_living = 0
    for process in (path for path in Path("/proc").iterdir() if path.name.isdigit()):
        try:
            fields = _stat(int(process.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[1] == server:
            of_living += sum(fields[11:13])
    return (of_living + sum(_stat(server)[11:15])) / os.sysconf("SC_CLK_TCK")


def _written() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn() - '0/0'")
        return int(cursor.fetchone()[0])


def _stat(pid: int) -> list[int]:
    """The numbers of /proc/PID/stat from the third field on: [1] is the parent, [11:15] processor time."""
    text = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return [0, *(int(field) for field in text[1:])]


def _widen(version: DatasetVersion, rows: int, characters: int) -> DatasetVersion:
    with organization_scope(version.organization_id), connection.cursor() as cursor:
        values = {"organization": version.organization_id, "version": version.id}
        cursor.execute(_ADD_ROWS, values | {"rows": rows, "characters": characters})
        version.row_count = rows
        version.save(update_fields=["row_count"])
    return version


def _print_tables(rows: int) -> None:
    print(f"{'bytes a row':<22}{'table':>10}{'indexes':>10}{'together':>10}")
    sums = {name: _print_group(tables, rows) for name, tables in _GROUPS.items()}
    for name, size in sums.items():
        print(f"a million of {name:<24}{size * 1_000_000 / 1e9:>8.2f} GB")


def _print_group(tables: tuple[str, ...], rows: int) -> float:
    together = 0.0
    for table in tables:
        with connection.cursor() as cursor:
            cursor.execute(_SIZE, {"table": table})
            own, indexes = (float(size) / rows for size in cursor.fetchone())
        print(f"{table:<22}{own:>10,.0f}{indexes:>10,.0f}{own + indexes:>10,.0f}")
        together += own + indexes
    return together


_GROUPS: Final = {"runs": OF_A_RUN, "rows of batches besides": OF_A_BATCH}
