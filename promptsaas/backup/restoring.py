"""Bring a backup back into an empty database, as the owner of the tables."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg
from django.conf import settings
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from promptsaas.backup.manifest import (
    MANIFEST,
    BackupError,
    Manifest,
    TableCopy,
    key_fingerprints,
    read_manifest,
)
from promptsaas.backup.writing import CONNECT_SECONDS, LEFT_OUT, LIMITS, Connection
from promptsaas.schema_state import ROOT

PIECE: Final = 256 * 1024

_FOUND: Final = """
SELECT c.relname, c.relforcerowsecurity, EXISTS (
    SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
)
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname
"""


def restore_backup(path: Path) -> Manifest:
    """Make the tables as they were, fill them in one transaction, then migrate to this release.

    Raises BackupError: the database is not empty, the file is not whole, or its secrets could not be opened
    with the master keys at hand.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = read_manifest(archive.read(MANIFEST))
            _check_keys(manifest)
            _check_empty()
            _migrate_to(manifest)
            _fill(archive, manifest)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise BackupError(f"{path} can't be read as a backup: {error}") from error
    _manage("migrate")
    return manifest


def _connect() -> Connection:
    return psycopg.connect(settings.MIGRATION_DATABASE_URL, options=LIMITS, connect_timeout=CONNECT_SECONDS)


def _check_keys(manifest: Manifest) -> None:
    present = key_fingerprints()
    missing = [version for version, mark in manifest.master_keys.items() if present.get(version) != mark]
    if missing:
        raise BackupError(
            f"Master key {', '.join(missing)} of this backup is not the one in MASTER_KEYS. "
            "Without it nothing that is sealed could be opened again."
        )


def _check_empty() -> None:
    with _connect() as connection:
        found = connection.execute(_FOUND).fetchone()
    if found is not None:
        raise BackupError(f"The database holds tables already ({found[0]}); restore into an empty one.")


def _migrate_to(manifest: Manifest) -> None:
    loader = MigrationLoader(connections["owner"], ignore_no_migrations=True)
    known = set(loader.disk_migrations)
    unknown = sorted(set(manifest.migrations) - known)
    if unknown:
        raise BackupError(
            f"The backup knows the migration {'.'.join(unknown[0])}, this release does not: take a newer one."
        )
    if known == set(manifest.migrations):
        _manage("migrate")
        return
    for app in sorted({app for app, _ in manifest.migrations}):
        _manage("migrate", app, max(name for each, name in manifest.migrations if each == app))


def _manage(*words: str) -> None:
    command = [sys.executable, str(ROOT / "manage.py"), *words, "--skip-checks", "--verbosity", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BackupError(f"manage.py {' '.join(words)} failed:\n{done.stderr[-2000:]}")


def _fill(archive: zipfile.ZipFile, manifest: Manifest) -> None:
    with _connect() as connection:
        found = [row for row in connection.execute(_FOUND).fetchall() if row[0] != LEFT_OUT]
        _check_tables(manifest, {str(row[0]) for row in found})
        _open_fences(connection, found)
        for partition in manifest.partitions:
            connection.execute(
                sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF {} {}").format(
                    sql.Identifier(partition.name),
                    sql.Identifier(partition.parent),
                    _literal(partition.bound),
                )
            )
        for table in manifest.tables:
            _load(connection, archive, table)
        for name, value in manifest.sequences.items():
            connection.execute("SELECT setval(%s::regclass, %s)", [name, value])
        # Foreign keys are looked at here; a table with a look to come can't be altered.
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        _close_fences(connection, found)


def _literal(text: str) -> sql.SQL:
    # Checked by read_manifest against a pattern that leaves room for nothing else.
    return sql.SQL(text)


def _check_tables(manifest: Manifest, found: set[str]) -> None:
    different = sorted(found ^ {table.name for table in manifest.tables})
    if different:
        raise BackupError(f"The tables differ from those of the backup: {', '.join(different)}.")


def _open_fences(connection: Connection, found: list[tuple[Any, ...]]) -> None:
    """Row security and append-only triggers off, and away with what the migrations wrote."""
    for name, forced, guarded in found:
        if forced:
            _alter(connection, name, "NO FORCE ROW LEVEL SECURITY")
        if guarded:
            _alter(connection, name, "DISABLE TRIGGER USER")
    for name, _, _ in found:
        connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    connection.execute("SET CONSTRAINTS ALL DEFERRED")


def _close_fences(connection: Connection, found: list[tuple[Any, ...]]) -> None:
    for name, forced, guarded in found:
        if guarded:
            _alter(connection, name, "ENABLE TRIGGER USER")
        if forced:
            _alter(connection, name, "FORCE ROW LEVEL SECURITY")


def _alter(connection: Connection, table: str, change: LiteralString) -> None:
    connection.execute(sql.SQL("ALTER TABLE {} {}").format(sql.Identifier(table), sql.SQL(change)))


def _load(connection: Connection, archive: zipfile.ZipFile, table: TableCopy) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, table.columns))
    )
    digest = hashlib.sha256()
    with connection.cursor() as cursor, archive.open(table.member) as file:
        with cursor.copy(statement) as copy:
            while piece := file.read(PIECE):
                digest.update(piece)
                copy.write(piece)
        loaded = cursor.rowcount
    if digest.hexdigest() != table.sha256 or loaded != table.rows:
        raise BackupError(f"{table.name} is damaged in the file: nothing was restored.")
