"""Write a backup: one snapshot of all tables, read under the system role, straight into the file."""

import hashlib
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg
from django.conf import settings
from psycopg import sql

from apps.core.row_security import SYSTEM_ROLE
from promptsaas.backup.manifest import MANIFEST, BackupError, Manifest, Partition, TableCopy, key_fingerprints

# One table may be long to read; a lock that is not there at once means a migration is under way.
LIMITS: Final = "-c statement_timeout=6h -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s"
CONNECT_SECONDS: Final = 10
# Django's own list of migrations is told by the manifest and written by migrate.
LEFT_OUT: Final = "django_migrations"
# Whoever holds the file must not be able to go on with somebody's session; after a restore people sign in.
EMPTIED: Final = frozenset({"django_session", "tenants_usersession"})

_TABLES: Final = """
SELECT c.relname, has_table_privilege(c.oid, 'SELECT'), array_agg(a.attname ORDER BY a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND c.relname <> %s
GROUP BY c.relname, c.oid ORDER BY c.relname
"""
_PARTITIONS: Final = """
SELECT parent.relname, child.relname, pg_get_expr(child.relpartbound, child.oid)
FROM pg_inherits JOIN pg_class parent ON parent.oid = inhparent JOIN pg_class child ON child.oid = inhrelid
WHERE parent.relnamespace = 'public'::regnamespace AND parent.relkind = 'p'
  AND child.relkind = 'r' AND pg_get_expr(child.relpartbound, child.oid) <> 'DEFAULT'
ORDER BY parent.relname, child.relname
"""
_SEQUENCES: Final = (
    "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL"
)

Connection = psycopg.Connection[tuple[Any, ...]]


def write_backup(path: Path) -> Manifest:
    """Write the whole database to a new file that only its owner may read.

    Serving goes on meanwhile. The file appears under its name when it is complete. Raises BackupError.
    """
    if path.exists():
        raise BackupError(f"{path} is there already; a backup never overwrites one.")
    unfinished = path.with_name(f"{path.name}.unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                manifest = _write(archive)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return manifest


def _write(archive: zipfile.ZipFile) -> Manifest:
    with psycopg.connect(
        settings.DATABASE_URL, options=LIMITS, connect_timeout=CONNECT_SECONDS
    ) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(SYSTEM_ROLE)))
        manifest = Manifest(
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            migrations=_pairs(connection, "SELECT app, name FROM django_migrations ORDER BY app, name"),
            tables=[_copy(connection, archive, *row) for row in connection.execute(_TABLES, [LEFT_OUT])],
            partitions=[Partition(*row) for row in connection.execute(_PARTITIONS)],
            sequences=dict(connection.execute(_SEQUENCES).fetchall()),
            master_keys=key_fingerprints(),
        )
    archive.writestr(MANIFEST, manifest.to_json())
    return manifest


def _pairs(connection: Connection, query: LiteralString) -> list[tuple[str, str]]:
    return [(str(first), str(second)) for first, second in connection.execute(query)]


def _copy(
    connection: Connection, archive: zipfile.ZipFile, name: str, readable: bool, columns: list[str]
) -> TableCopy:
    if not readable:
        raise BackupError(f"{SYSTEM_ROLE} may not read {name}: a backup without it would not be whole.")
    statement = sql.SQL("COPY (SELECT {} FROM {}{}) TO STDOUT").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.Identifier(name),
        sql.SQL(" WHERE false" if name in EMPTIED else ""),
    )
    digest = hashlib.sha256()
    member = TableCopy(name, columns, 0, "").member
    with connection.cursor() as cursor, archive.open(member, "w", force_zip64=True) as file:
        with cursor.copy(statement) as copy:
            for data in copy:
                digest.update(data)
                file.write(data)
        return TableCopy(name, columns, cursor.rowcount, digest.hexdigest())
