"""A backup into an empty database: everything is there, fenced as before, and the proofs hold."""

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from psycopg import sql

from apps.billing.verification import LedgerVerification
from promptsaas.backup.manifest import MANIFEST, BackupError, read_manifest
from promptsaas.backup.restoring import restore_backup
from promptsaas.backup.writing import write_backup
from promptsaas.schema_state import ROOT
from tests.conftest import SERVERS
from tests.factories import make_batch, make_project, make_prompt, make_run, owner_of
from tests.support.databases import drop_clone
from tests.support.environment import DATABASE, with_database

pytestmark = pytest.mark.django_db(transaction=True)

EMPTY = f"{DATABASE}_empty"


@pytest.fixture
def empty_database() -> Iterator[dict[str, str]]:
    """The environment of a process that works on a database without a table."""
    with closing(psycopg.connect(with_database(SERVERS.migration_database_url, "postgres"))) as connection:
        connection.autocommit = True
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(EMPTY)))
        try:
            yield os.environ | {
                "DATABASE_URL": with_database(settings.DATABASE_URL, EMPTY),
                "MIGRATION_DATABASE_URL": with_database(settings.MIGRATION_DATABASE_URL, EMPTY),
                "LOG_LEVEL": "ERROR",
            }
        finally:
            # Not by force: an autovacuum worker may be in there, which the owner can't end.
            drop_clone(SERVERS, EMPTY)


def restored(path: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "manage.py"), "restore", str(path)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_restore__into_an_empty_database__is_the_same_and_verifies(
    tmp_path: Path, empty_database: dict[str, str]
) -> None:
    project = make_project()
    make_prompt(project=project, versions=3, labels={"production": 2})
    make_run(project=project)
    make_batch(project=project)
    Client().force_login(owner_of(project.organization))
    path, again = tmp_path / "first.backup", tmp_path / "second.backup"
    first = write_backup(path)

    done = restored(path, empty_database)

    assert done.returncode == 0, done.stderr
    assert "events in" in done.stdout
    assert "usage events verify" in done.stdout
    command = [sys.executable, str(ROOT / "manage.py"), "backup", str(again)]
    subprocess.run(command, env=empty_database, check=True, capture_output=True)
    with zipfile.ZipFile(again) as archive:
        second = read_manifest(archive.read(MANIFEST))
    sealed = {"audit_auditseal", "audit_auditpending"}
    counts = {table.name: table.rows for table in first.tables if table.name not in sealed}
    assert counts == {table.name: table.rows for table in second.tables if table.name not in sealed}
    assert counts["prompts_promptversion"] >= 3
    # Sessions stay behind: whoever holds the file can't go on with one.
    assert counts["django_session"] == counts["tenants_usersession"] == 0
    assert counts["runs_run"] == counts["runs_runpayload"] == 1
    assert set(first.partitions) <= set(second.partitions)
    # The fences stand again: the application alone sees no tenant's row.
    with closing(psycopg.connect(empty_database["DATABASE_URL"])) as connection:
        assert connection.execute("SELECT count(*) FROM prompts_prompt").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM audit_auditevent")


def test_backup__file__is_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "kept.backup"
    write_backup(path)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(CommandError, match="never overwrites"):
        call_command("backup", str(path))
    assert list(tmp_path.iterdir()) == [path]


def test_restore__database_with_tables__is_refused(tmp_path: Path) -> None:
    path = tmp_path / "first.backup"
    write_backup(path)
    with pytest.raises(BackupError, match="holds tables already"):
        restore_backup(path)


def test_restore__other_master_key__is_refused_before_anything(tmp_path: Path) -> None:
    path = tmp_path / "first.backup"
    write_backup(path)
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read(MANIFEST))
    manifest["master_keys"]["1"] = "0" * 16
    other = tmp_path / "other.backup"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr(MANIFEST, json.dumps(manifest))
    with pytest.raises(BackupError, match="Master key 1"):
        restore_backup(other)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"format": 9}, "format 9"),
        ({"sequences": {"x'; DROP TABLE users; --": 1}}, "no backup of ours"),
        (
            {"partitions": [{"parent": "a", "name": "b", "bound": "DEFAULT; DROP"}]},
            "no backup of ours",
        ),
        ({"tables": [{"name": "a"}]}, "can't be read"),
    ],
)
def test_read_manifest__foreign_text__is_refused(change: dict[str, object], complaint: str) -> None:
    manifest = {
        "made_at": "2026-01-01T00:00:00+00:00",
        "migrations": [],
        "tables": [],
        "partitions": [],
        "sequences": {},
        "master_keys": {},
        "format": 1,
    }
    with pytest.raises(BackupError, match=complaint):
        read_manifest(json.dumps({**manifest, **change}).encode())


def test_restore__no_backup__is_named(tmp_path: Path) -> None:
    path = tmp_path / "text.backup"
    path.write_bytes(b"not a zip")
    with pytest.raises(CommandError, match="can't be read as a backup"):
        call_command("restore", str(path))


def test_ledger_verify__changed_and_lost_events__are_named() -> None:
    make_run(project=make_project())
    with closing(psycopg.connect(settings.MIGRATION_DATABASE_URL)) as connection:
        connection.execute("ALTER TABLE billing_usageevent NO FORCE ROW LEVEL SECURITY")
        connection.execute("UPDATE billing_usageevent SET quantity = 5")
        connection.commit()
        assert [problem.complaint[:11] for problem in LedgerVerification().problems()] == ["was changed"]
        connection.execute("DELETE FROM billing_usageevent")
        connection.execute("ALTER TABLE billing_usageevent FORCE ROW LEVEL SECURITY")
        connection.commit()
    output = io.StringIO()
    with pytest.raises(CommandError, match="does not verify"):
        call_command("ledger_verify", stderr=output)
    assert "has no event" in output.getvalue()
