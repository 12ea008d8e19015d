"""Archives of everything: whole, without secrets, whatever is killed or erased meanwhile."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.db import connection, models
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.audit.actor import SYSTEM
from apps.audit.models import AuditEvent
from apps.core import files
from apps.core.errors import Conflict, NotFound
from apps.core.models import StoredFile
from apps.core.scope import organization_scope, system_scope
from apps.retention import services
from apps.retention.exports import bell, downloading, writing
from apps.retention.exports.downloading import asked_range
from apps.retention.exports.kinds import KINDS, LEFT_OUT
from apps.retention.exports.writing import advance, safe_name
from apps.retention.exports.zip_layout import Entry, make_directory, make_entry
from apps.retention.models import (
    ErasureKind,
    ErasureRequest,
    ErasureState,
    ExportPart,
    ExportState,
    OrganizationExport,
)
from apps.tenants.models import Project
from tests.access.pages import fill_project
from tests.factories import (
    TENANT_FACTORIES,
    make_connection,
    make_project,
    make_run,
    owner_of,
)

MOMENT = datetime(2026, 11, 21, 12, 30, 4, tzinfo=UTC)


def ask(project: Project) -> UUID:
    with organization_scope(project.organization_id):
        return services.request_export(actor=SYSTEM, organization=project.organization).pk


def stands(project: Project, export_id: UUID) -> OrganizationExport:
    with organization_scope(project.organization_id):
        return OrganizationExport.objects.get(pk=export_id)


def fetched(project: Project, export_id: UUID) -> zipfile.ZipFile:
    with organization_scope(project.organization_id):
        archive = downloading.archive_of(OrganizationExport.objects.get(pk=export_id))
    content = b"".join(archive.read(0, archive.size))
    assert len(content) == archive.size
    found = zipfile.ZipFile(io.BytesIO(content))
    assert found.testzip() is None
    return found


def finish(project: Project, export_id: UUID) -> zipfile.ZipFile:
    while advance(export_id):
        pass
    return fetched(project, export_id)


def lines(archive: zipfile.ZipFile, kind: str) -> list[dict[str, Any]]:
    ours = [name for name in archive.namelist() if name.startswith(f"{kind}/")]
    names = sorted(name for name in ours if name.endswith(".jsonl"))
    return [json.loads(line) for name in names for line in archive.read(name).splitlines()]


# What is covered, without a database.


def owned_models() -> Iterator[type[models.Model]]:
    for model in apps.get_models():
        if any(field.attname == "organization_id" for field in model._meta.concrete_fields):
            yield model


def test_kinds__every_table_of_an_organization__is_exported_or_left_out_with_a_reason() -> None:
    exported = {kind.model._meta.label for kind in KINDS}
    left_out = {label for each in LEFT_OUT for label in each.models}
    known = {model._meta.label for model in apps.get_models()}
    owned = {model._meta.label for model in owned_models()}
    missing = sorted(owned - exported - left_out)
    assert not missing, f"say in apps/retention/exports/kinds.py what an archive does with {missing}"
    assert left_out <= known
    assert not exported & left_out
    assert len({kind.name for kind in KINDS}) == len(KINDS)


SECRET = ("digest", "password", "sealed", "wrapped", "secret", "hint")
# Digests of audit details prove them, hashes of the chain tell nothing of what they are of.
OPEN = frozenset({"detail_digests", "input_digest", "previous_hash", "hash", "mac", "sealed_at"})


def test_kinds__fields_that_may_hold_secrets__are_named() -> None:
    for kind in KINDS:
        for field in kind.model._meta.concrete_fields:
            is_secret = isinstance(field, models.BinaryField) or any(word in field.name for word in SECRET)
            assert not is_secret or field.attname in {*OPEN, *kind.secrets}, field
        assert bool(kind.secrets) == bool(kind.why)


def test_make_directory__of_a_huge_archive__is_read_by_others(tmp_path: Path) -> None:
    """Entries behind 4 GiB, in a file with a hole before them."""
    _, small = make_entry("a/1.jsonl", b"{}\n", MOMENT)
    first = Entry("hole", 0, 0, 0, 5 * 1024**3)
    last, whole = make_entry("b/ä.jsonl", b'{"b":1}\n' * 1000, MOMENT)
    path = tmp_path / "huge.zip"
    with path.open("wb") as file:
        file.write(small)
        file.seek(first.length)
        file.write(whole + make_directory([first, last], MOMENT))
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["hole", "b/ä.jsonl"]
        assert archive.read("b/ä.jsonl") == b'{"b":1}\n' * 1000
        assert archive.getinfo("b/ä.jsonl").date_time == (2026, 11, 21, 12, 30, 4)


def test_make_directory__of_more_entries_than_old_archives_have__is_read_by_others() -> None:
    entry, whole = make_entry("x", b"", MOMENT)
    content = whole * 70_000 + make_directory([entry] * 70_000, MOMENT)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert len(archive.infolist()) == 70_000


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("reviews.csv", "reviews.csv"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\x\x00\n.csv", "C_x_.csv"),
        ("..", "file"),
        ("", "file"),
        ("ünicode 中.csv", "_nicode_.csv"),
    ],
)
def test_safe_name__of_any_file__means_nothing_to_a_system(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", None),
        ("bytes=0-9", (0, 10)),
        ("bytes=90-", (90, 100)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=100-", (0, 0)),
        ("bytes=-0", (0, 0)),
        ("bytes=9-3", (0, 0)),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-1", None),
    ],
)
def test_asked_range__as_the_rules_of_http_say(header: str, found: tuple[int, int] | None) -> None:
    request = RequestFactory().get("/", headers={"range": header} if header else {})
    assert asked_range(request, '"tag"', 100) == found


def test_asked_range__of_another_archive__is_all_of_this_one() -> None:
    request = RequestFactory().get("/", headers={"range": "bytes=5-", "if-range": '"other"'})
    assert asked_range(request, '"tag"', 100) is None


# Made in the database.


@pytest.fixture
def project(transactional_db: None) -> Project:
    return make_project()


def test_export__of_everything__has_every_row_and_no_secret(project: Project) -> None:
    fill_project(project)
    with organization_scope(project.organization_id):
        make_connection(project=project, api_key="sk-very-secret-key")
    other = make_project()
    make_run(project=other)
    export_id = ask(project)
    archive = finish(project, export_id)
    manifest = json.loads(archive.read("manifest.json"))
    with organization_scope(project.organization_id):
        for kind in KINDS:
            told = lines(archive, kind.name)
            assert told, f"no rows of {kind.name}"
            ids = {row.get("id") or row.get("run_id") for row in told}
            assert len(ids) == len(told)
    assert {row["name"]: row["rows"] for row in manifest["kinds"]} == {
        kind.name: len(lines(archive, kind.name)) for kind in KINDS
    }
    for entry in manifest["files"]:
        whole = archive.read(entry["name"])
        assert (len(whole), hashlib.sha256(whole).hexdigest()) == (entry["size"], entry["sha256"])
    assert {entry["name"] for entry in manifest["files"]} == set(archive.namelist()) - {"manifest.json"}
    everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"sk-very-secret-key" not in everything
    assert str(other.public_id).encode() not in everything
    [content] = [row for row in lines(archive, "run_contents") if row["output"]][:1]
    assert content["messages"][0]["role"] == "user"
    assert [name for name in archive.namelist() if name.endswith("/a.txt")]
    assert archive.read(next(n for n in archive.namelist() if n.endswith("/a.txt"))) == b"text"


class Killed(BaseException):
    """What no code of ours survives."""


def test_export__killed_before_each_commit__goes_on_without_a_row_lost_or_twice(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = {"organization", "projects", "runs", "files"}
    few = [replace(kind, at_once=2) for kind in KINDS if kind.name in some]
    monkeypatch.setattr(writing, "PART_BYTES", 1)
    monkeypatch.setattr(writing, "KINDS", few)
    for _ in range(5):
        make_run(project=project)
    export_id = ask(project)
    alive = OrganizationExport.save
    turns = 0

    def save_or_die(self: OrganizationExport, *args: Any, **values: Any) -> None:
        nonlocal turns
        turns += 1
        if turns % 2:
            raise Killed
        alive(self, *args, **values)

    monkeypatch.setattr(OrganizationExport, "save", save_or_die)
    while True:
        try:
            if not advance(export_id):
                break
        except Killed:
            continue
    archive = fetched(project, export_id)
    assert turns >= 8
    runs = [row["id"] for row in lines(archive, "runs")]
    assert len(runs) == len(set(runs)) == 5
    assert sorted(runs, reverse=True) == runs
    with system_scope():
        parts = ExportPart.all_organizations.filter(export_id=export_id).count()
    assert parts == len(archive.namelist()) == stands(project, export_id).part_count


def erase(project: Project, state: str, at: datetime | None = None) -> None:
    with organization_scope(project.organization_id):
        ErasureRequest.objects.create(
            organization_id=project.organization_id,
            kind=ErasureKind.END_USER,
            state=state,
            subject_digest=hashlib.sha256(state.encode()).hexdigest(),
            execute_after=at or timezone.now(),
            started_at=at or timezone.now(),
        )


def test_export__while_somebody_is_erased__waits_and_begins_anew(project: Project) -> None:
    make_run(project=project)
    export_id = ask(project)
    assert advance(export_id)
    began = stands(project, export_id).started_at
    erase(project, ErasureState.RUNNING)
    assert not advance(export_id)
    with organization_scope(project.organization_id):
        ErasureRequest.objects.update(state=ErasureState.DONE)
    finish(project, export_id)
    again = stands(project, export_id).started_at
    assert began is not None
    assert again is not None
    assert again > began


def test_export__ready_when_somebody_is_erased__is_withdrawn(project: Project) -> None:
    export_id = ask(project)
    finish(project, export_id)
    erase(project, ErasureState.DONE, timezone.now() + timedelta(seconds=1))
    with pytest.raises(NotFound):
        fetched(project, export_id)
    assert bell.sweep() == 1
    assert stands(project, export_id).state == ExportState.WITHDRAWN
    with system_scope():
        assert not ExportPart.all_organizations.filter(export_id=export_id).exists()
    files.purge_expired()
    with system_scope():
        assert not StoredFile.all_organizations.filter(organization_id=project.organization_id).exists()


def test_export__a_part_deleted_by_others__begins_anew_or_is_withdrawn(project: Project) -> None:
    export_id = ask(project)
    advance(export_id)
    with organization_scope(project.organization_id):
        StoredFile.objects.all().delete()
    assert finish(project, export_id).namelist()
    with organization_scope(project.organization_id):
        StoredFile.objects.filter(name__endswith=" 0").delete()
    with pytest.raises(NotFound):
        fetched(project, export_id)


def test_export__past_its_week__has_expired(project: Project) -> None:
    export_id = ask(project)
    finish(project, export_id)
    with system_scope():
        OrganizationExport.all_organizations.update(expires_at=timezone.now())
    with pytest.raises(NotFound):
        fetched(project, export_id)
    bell.sweep()
    assert stands(project, export_id).state == ExportState.EXPIRED


def test_request_export__second_at_once__is_refused(project: Project) -> None:
    ask(project)
    with pytest.raises(Conflict, match="being made"):
        ask(project)


def test_answer__whatever_breaks_it_off__fails_after_five_attempts(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_id = ask(project)

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(writing, "_write_part", broken)
    for _ in range(5):
        assert stands(project, export_id).is_under_way
        bell.answer(export_id, 1)
    assert stands(project, export_id).state == ExportState.FAILED


def test_pages__ask_follow_fetch_in_pieces_delete(project: Project, client: Client) -> None:
    client.force_login(owner_of(project.organization))
    page = f"/{project.organization.slug}/settings/privacy/export/"
    assert b"No archive was made yet" in client.get(page).content
    assert client.post(page).status_code == 302
    assert client.post(page).status_code == 409
    assert client.get(f"{page}progress/").status_code == 200
    with organization_scope(project.organization_id):
        export = OrganizationExport.objects.get()
    assert client.get(f"{page}{export.public_id}/download/").status_code == 404
    finish(project, export.pk)
    assert client.get(f"{page}progress/").status_code == 286
    address = f"{page}{export.public_id}/download/"
    whole = client.get(address)
    content = b"".join(whole)
    assert whole["Content-Length"] == str(len(content))
    first = client.get(address, headers={"range": "bytes=0-99"})
    rest = client.get(address, headers={"range": "bytes=100-", "if-range": whole["ETag"]})
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first["Content-Range"] == f"bytes 0-99/{len(content)}"
    assert b"".join(first) + b"".join(rest) == content
    assert client.get(address, headers={"range": f"bytes={len(content)}-"}).status_code == 416
    assert client.post(f"{page}{export.public_id}/delete/").status_code == 302
    assert client.get(address).status_code == 404


def test_page__with_five_archives__asks_no_more_than_with_one(project: Project, client: Client) -> None:
    client.force_login(owner_of(project.organization))
    page = f"/{project.organization.slug}/settings/privacy/export/"
    # The first visit also notes the session.
    client.get(page)
    counts = []
    for archives in (1, 5):
        with organization_scope(project.organization_id):
            there = OrganizationExport.objects.count()
        for _ in range(archives - there):
            TENANT_FACTORIES["retention.ExportPart"](project)
        with CaptureQueriesContext(connection) as asked:
            assert client.get(page).content.count(b"Download</a>") == archives
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 15


def test_api__ask_follow_fetch_delete(project: Project, client: Client) -> None:
    client.force_login(owner_of(project.organization))
    headers = {"Promptsaas-Project": project.public_id}
    made = client.post("/api/v1/exports", headers=headers)
    assert (made.status_code, made.json()["state"]) == (201, "pending")
    again = client.post("/api/v1/exports", headers=headers)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "export_running")
    address = f"/api/v1/exports/{made.json()['id']}"
    early = client.get(f"{address}/content", headers=headers)
    assert (early.status_code, early.json()["error"]["code"]) == (404, "export_not_ready")
    with organization_scope(project.organization_id):
        export = OrganizationExport.objects.get()
    finish(project, export.pk)
    content = client.get(f"{address}/content", headers=headers | {"Range": "bytes=0-3"})
    assert (content.status_code, b"".join(content)) == (206, b"PK\x03\x04")
    with organization_scope(project.organization_id):
        assert AuditEvent.objects.filter(action="export.downloaded").count() == 1
    [listed] = client.get("/api/v1/exports", headers=headers).json()["data"]
    assert (listed["id"], listed["state"]) == (made.json()["id"], "ready")
    assert client.delete(address, headers=headers).status_code == 204
    assert client.get(address, headers=headers).status_code == 404
