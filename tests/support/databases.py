"""The migrated template database, its clones, and emptying a clone after a transactional test."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from promptsaas.schema_state import ROOT, schema_fingerprint
from tests.support.environment import Servers, with_database

CLONE = re.compile(r"^test_(\d+)_\w+$")
TEMPLATES_KEPT = 3
ATTEMPTS = 4
PATIENCE_SECONDS = 60
# Any constant: it names the lock under which templates are built and cloned.
ADVISORY_LOCK = 7_316_502


@contextmanager
def _maintenance(servers: Servers) -> Iterator[psycopg.Connection]:
    url = with_database(servers.migration_database_url, "postgres")
    with psycopg.connect(url, autocommit=True, connect_timeout=PATIENCE_SECONDS) as connection:
        yield connection


def make_clone(servers: Servers, name: str) -> None:
    """Make the database `name` with the current schema, building the template if the schema is new."""
    with _maintenance(servers) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
        template = f"template_{schema_fingerprint()}"
        if not _exists(connection, template):
            _build_template(connection, servers, template)
        _sweep(connection, servers, keep=template)
        _when_free(connection, "CREATE DATABASE {} TEMPLATE {}", name, template)


def drop_clone(servers: Servers, name: str) -> None:
    """Drop the database once the last sessions have ended; the owner may not end the application's."""
    with _maintenance(servers) as connection:
        _when_free(connection, "DROP DATABASE IF EXISTS {}", name)


def _when_free(connection: psycopg.Connection, command: LiteralString, *names: str) -> None:
    """Run a command that wants nobody else in a database; a session that has just ended may linger."""
    statement = sql.SQL(command).format(*map(sql.Identifier, names))
    for _ in range(ATTEMPTS - 1):
        try:
            connection.execute(statement)
        except psycopg.errors.ObjectInUse:
            # Postgres has waited five seconds itself.
            continue
        return
    connection.execute(statement)


def _exists(connection: psycopg.Connection, name: str) -> bool:
    found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    return found is not None


def _drop(connection: psycopg.Connection, name: str) -> None:
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _build_template(connection: psycopg.Connection, servers: Servers, template: str) -> None:
    unfinished = f"building_{template}"
    _drop(connection, unfinished)
    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(unfinished)))
    environment = os.environ | {
        "DATABASE_URL": with_database(servers.database_url, unfinished),
        "MIGRATION_DATABASE_URL": with_database(servers.migration_database_url, unfinished),
        "REDIS_URL": servers.redis_url,
    }
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "migrate", "--skip-checks", "--verbosity", "0"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        _drop(connection, unfinished)
        raise RuntimeError(f"migrating the template database failed:\n{done.stderr[-3000:]}")
    _when_free(connection, "ALTER DATABASE {} RENAME TO {}", unfinished, template)


def _sweep(connection: psycopg.Connection, servers: Servers, keep: str) -> None:
    """Drop clones of dead test processes and templates of old schemas."""
    rows = connection.execute("SELECT datname FROM pg_database ORDER BY oid DESC").fetchall()
    names = [str(row[0]) for row in rows]
    old = [name for name in names if name.startswith("template_") and name != keep][TEMPLATES_KEPT - 1 :]
    # On a server of others the pids are those of another machine.
    dead = [name for name in names if servers.embedded and _process_is_dead(name)]
    for name in old + dead:
        # A server that outlived its tests may hold one open; the next session tries again.
        with suppress(psycopg.errors.InsufficientPrivilege):
            _drop(connection, name)


def _process_is_dead(name: str) -> bool:
    match = CLONE.match(name)
    return match is not None and not Path(f"/proc/{match[1]}").exists()


class Emptier:
    """Empties all tables as the owner; the application's role may not.

    By DELETE: TRUNCATE makes new files for every index of every partition and takes ten times as long.
    Row security and the triggers of append-only tables are off meanwhile, in the same transaction.
    """

    def __init__(self, owner_url: str) -> None:
        self.owner_url = owner_url
        with self._connection() as connection:
            rows = connection.execute(TABLES).fetchall()
            # What migrations wrote (content types, plans) stays; tests must not change it.
            # Data keys stay too: processes keep them in memory longer than a test lasts.
            tables = [
                sql.Identifier(name)
                for name, _, _ in rows
                if name != "core_datakey" and not self._filled(connection, name)
            ]
        forced = [sql.Identifier(name) for name, is_forced, _ in rows if is_forced]
        guarded = [sql.Identifier(name) for name, _, is_guarded in rows if is_guarded]
        commands = [
            *(sql.SQL("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY").format(name) for name in forced),
            *(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(name) for name in guarded),
            *(sql.SQL("DELETE FROM {}").format(name) for name in tables),
            # Foreign keys are looked at here; a table with a look to come can't be altered.
            sql.SQL("SET CONSTRAINTS ALL IMMEDIATE"),
            *(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(name) for name in guarded),
            *(sql.SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(name) for name in forced),
        ]
        self.command = sql.SQL("; ").join(commands)

    def __call__(self) -> None:
        """Empty every table that was empty after migrating."""
        with self._connection() as connection:
            connection.execute(self.command)

    def _connection(self) -> psycopg.Connection:
        return psycopg.connect(
            self.owner_url, options="-c lock_timeout=20s", connect_timeout=PATIENCE_SECONDS
        )

    @staticmethod
    def _filled(connection: psycopg.Connection, name: str) -> bool:
        # Row security is forced on the owner too, so tenant tables always look empty here; so they are.
        query = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(name))
        row = connection.execute(query).fetchone()
        return row is not None and bool(row[0])


# Each with whether row security is forced on its owner, and whether a trigger of ours refuses a DELETE.
TABLES = """
    SELECT c.relname, c.relforcerowsecurity, EXISTS (
        SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND (t.tgtype & 8) <> 0
    )
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND c.relname <> 'django_migrations'
    ORDER BY c.relname
"""
