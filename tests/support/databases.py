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
# Another one when the way templates are made changes.
TEMPLATE_KIND = 2
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
        template = f"template_{TEMPLATE_KIND}_{schema_fingerprint()}"
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
    _let_owner_see(environment["MIGRATION_DATABASE_URL"])
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

    By DELETE, and only where rows are: TRUNCATE makes new files for every index of every partition, and any
    ALTER TABLE makes every session read its catalogue again and waits for all that go on in the servers.
    The owner sees the rows through a policy of the template's own, which production does not have.
    """

    def __init__(self, owner_url: str) -> None:
        self.owner_url = owner_url
        with self._connection() as connection:
            rows = connection.execute(TABLES).fetchall()
            # What migrations wrote (content types, plans) stays; tests must not change it.
            # Data keys stay too: processes keep them in memory longer than a test lasts.
            self.guarded = {
                name: is_guarded
                for name, _, is_guarded in rows
                if name != "core_datakey" and not self._filled(connection, name)
            }
        found = (
            sql.SQL("CASE WHEN EXISTS (SELECT FROM {}) THEN {} END").format(sql.Identifier(name), name)
            for name in self.guarded
        )
        self.find = sql.SQL("SELECT array_remove(ARRAY[{}], NULL)").format(sql.SQL(", ").join(found))

    def __call__(self) -> None:
        """Empty every table that was empty after migrating, against what servers of the test still do."""
        for _ in range(ATTEMPTS - 1):
            with suppress(psycopg.errors.DeadlockDetected, psycopg.errors.ForeignKeyViolation):
                return self._empty()
        return self._empty()

    def _empty(self) -> None:
        with self._connection() as connection:
            row = connection.execute(self.find).fetchone()
            filled = row[0] if row else []
            guarded = [sql.Identifier(name) for name in filled if self.guarded[name]]
            commands = [
                *(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(name) for name in guarded),
                *(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)) for name in filled),
                # Foreign keys are looked at here; a table with a look to come can't be altered.
                sql.SQL("SET CONSTRAINTS ALL IMMEDIATE"),
                *(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(name) for name in guarded),
            ]
            if filled:
                connection.execute(sql.SQL("; ").join(commands))

    def _connection(self) -> psycopg.Connection:
        return psycopg.connect(
            self.owner_url, options="-c lock_timeout=20s", connect_timeout=PATIENCE_SECONDS
        )

    @staticmethod
    def _filled(connection: psycopg.Connection, name: str) -> bool:
        query = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(name))
        row = connection.execute(query).fetchone()
        return row is not None and bool(row[0])


def _let_owner_see(url: str) -> None:
    """Give the owner of a template a policy on every table whose row security holds for it too."""
    with psycopg.connect(url, connect_timeout=PATIENCE_SECONDS) as connection:
        for name, is_forced, _ in connection.execute(TABLES).fetchall():
            if is_forced:
                policy = sql.SQL("CREATE POLICY emptier ON {} TO CURRENT_USER USING (true)")
                connection.execute(policy.format(sql.Identifier(name)))


# Each with whether row security is forced on its owner, and whether a trigger of ours refuses a DELETE.
TABLES: LiteralString = """
    SELECT c.relname, c.relforcerowsecurity, EXISTS (
        SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND (t.tgtype & 8) <> 0
    )
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND c.relname <> 'django_migrations'
    ORDER BY c.relname
"""
