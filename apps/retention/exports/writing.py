"""Making an archive: a few parts a transaction, and with them how far the work is.

Killed anywhere, the work goes on behind the last parts that were committed: nothing is missing and nothing
stands twice. Only one process works on an export at a time. An erasure of a person that begins meanwhile
makes the work begin anew after its end, so that no archive brings back what was erased.
"""

import hashlib
import re
import time
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from django.conf import settings
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import SYSTEM
from apps.core import crypto, files
from apps.core.models import StoredFile
from apps.core.scope import organization_scope, system_scope
from apps.retention.exports import records
from apps.retention.exports.kinds import FILES, KINDS, LEFT_OUT, Kind
from apps.retention.exports.standing import facts_of
from apps.retention.exports.walking import Page, next_page
from apps.retention.exports.zip_layout import make_entry
from apps.retention.models import UNDER_WAY, ExportPart, ExportState, OrganizationExport
from apps.tenants.models import Organization

FORMAT: Final = "promptsaas-export"
SCHEMA_VERSION: Final = 1
PART_BYTES: Final = 8 * 1024 * 1024
PART_SECONDS: Final = 1.0
KEPT: Final = timedelta(days=7)
# A part of an archive that never came to its end goes by itself.
ABANDONED: Final = timedelta(days=14)
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")

README: Final = """\
Everything that an organization owns in promptsaas.

manifest.json   what is here: the rows of each kind, and each file with its size and SHA-256
<kind>/         rows as JSON, one a line, in files of a few megabytes; read them in the order of their names
files/          uploaded and made files; files/…jsonl says which is which

Ids are those of the API, times are in UTC, money is in US dollars as text. What is left out and why stands in
manifest.json.
"""


def work_off(export_id: UUID, seconds: float) -> bool:
    """Work on an export for at most some seconds; whether it can go on at once."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not advance(export_id):
            return False
    return True


def advance(export_id: UUID) -> bool:
    """Make the next parts, in a transaction of about a second.

    False when nothing can be done now: ended, gone, others' work, or an erasure runs.
    """
    with system_scope():
        rows = OrganizationExport.all_organizations.filter(pk=export_id, state__in=UNDER_WAY)
        organization_id = rows.values_list("organization_id", flat=True).first()
    if organization_id is None:
        return False
    with organization_scope(organization_id):
        locked = OrganizationExport.objects.select_for_update(skip_locked=True)
        export = locked.filter(pk=export_id, state__in=UNDER_WAY).first()
        if export is None:
            return False
        export.touched_at = timezone.now()
        goes_on = _advance_locked(export)
        export.save()
        return goes_on


def _advance_locked(export: OrganizationExport) -> bool:
    facts = facts_of([export])
    if facts.is_erasing:
        return False
    if export.started_at is None:
        _begin(export)
    elif not facts.is_whole(export) or facts.was_erased_since(export):
        drop_parts(export)
        _begin(export)
    at = int(export.position.get("kind", 0))
    if at == len(KINDS):
        _finish(export)
        return False
    until, written = time.monotonic() + PART_SECONDS, 0
    while at < len(KINDS) and written < PART_BYTES and time.monotonic() < until:
        written += _write_part(export, at, until)
        at = int(export.position["kind"])
    export.failures = 0
    return True


def _begin(export: OrganizationExport) -> None:
    export.state, export.started_at = ExportState.RUNNING, timezone.now()
    export.position, export.counts, export.part_count, export.size = {}, {}, 0, 0


def drop_parts(export: OrganizationExport) -> None:
    """Forget the parts at once; their content goes with the next turn of the purge of expired files."""
    parts = ExportPart.objects.filter(export_id=export.pk)
    StoredFile.objects.filter(pk__in=parts.values("file_id")).update(expires_at=timezone.now())
    parts.delete()


def _write_part(export: OrganizationExport, at: int, until: float) -> int:
    """The next rows of a kind, as many as a part holds, and the place behind them; returns their bytes."""
    kind = KINDS[at]
    content, count = bytearray(), 0
    place: dict[str, Any] | None = export.position.get("place") or {}
    while place is not None and len(content) < PART_BYTES and time.monotonic() < until:
        page = next_page(kind, place)
        lines = [records.line(each) for each in kind.records(page.rows)]
        content += b"".join(lines)
        count += len(lines)
        if kind.name == FILES:
            _copy_files(export, page)
        place = page.place
    number = int(export.position.get("number", 0))
    if content:
        number += 1
        _store(export, f"{kind.name}/{number:06}.jsonl", kind.name, bytes(content), rows=count)
        export.counts = export.counts | {kind.name: export.counts.get(kind.name, 0) + count}
    if place is None:
        export.position = {"kind": at + 1}
    else:
        export.position = {"kind": at, "place": place, "number": number}
    return len(content)


def _copy_files(export: OrganizationExport, page: Page) -> None:
    for row in page.rows:
        assert isinstance(row, StoredFile)
        try:
            content = files.content(row)
        except (files.FileBroken, crypto.SealBroken):
            # It can't be read in the product either; its line in the table says that it was there.
            continue
        _store(export, f"files/{row.public_id}/{safe_name(row.name)}", "file", content)


def safe_name(name: str) -> str:
    """A file's name that means nothing to any system that unpacks it: no folders, no dots in front."""
    return _UNSAFE.sub("_", name).lstrip(".")[-100:] or "file"


def _store(export: OrganizationExport, name: str, kind: str, content: bytes, rows: int | None = None) -> None:
    assert export.started_at is not None
    entry, whole = make_entry(name, content, export.started_at)
    file = files.store(
        organization_id=export.organization_id,
        name=f"{export.public_id} {export.part_count}",
        content_type="application/octet-stream",
        chunks=[whole],
        expires_at=timezone.now() + ABANDONED,
    )
    ExportPart(
        organization_id=export.organization_id,
        export=export,
        file=file,
        number=export.part_count,
        name=name,
        kind=kind,
        rows=rows,
        size=entry.size,
        compressed_size=entry.compressed_size,
        entry_size=entry.length,
        crc32=entry.crc32,
        sha256=hashlib.sha256(content).hexdigest(),
    ).save(force_insert=True)
    export.part_count += 1
    export.size += entry.length


def _finish(export: OrganizationExport) -> None:
    """Manifest and words at the end; from now on the archive can be fetched, for a week."""
    now = timezone.now()
    _store(export, "README.txt", "about", README.encode())
    _store(export, "manifest.json", "about", _manifest(export))
    export.state, export.ended_at, export.expires_at = ExportState.READY, now, now + KEPT
    export.position, export.failures = {}, 0
    parts = ExportPart.objects.filter(export_id=export.pk)
    StoredFile.objects.filter(pk__in=parts.values("file_id")).update(expires_at=export.expires_at)
    audit.record(
        actor=SYSTEM,
        action="export.completed",
        target=export,
        organization_id=export.organization_id,
        changes={"parts": (None, export.part_count), "size": (None, export.size)},
    )


def _manifest(export: OrganizationExport) -> bytes:
    organization = Organization.objects.get(pk=export.organization_id)
    parts = ExportPart.objects.filter(export_id=export.pk).order_by("number")
    told = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "product_version": settings.VERSION,
        "export": export.public_id,
        "organization": {
            "id": organization.public_id,
            "name": organization.name,
            "slug": organization.slug,
        },
        "started_at": export.started_at,
        "finished_at": timezone.now(),
        "kinds": [_told_kind(kind, export.counts.get(kind.name, 0)) for kind in KINDS],
        "left_out": [{"what": each.words, "why": each.why} for each in LEFT_OUT],
        "files": [
            {name: getattr(part, name) for name in ("name", "kind", "rows", "size", "sha256")}
            for part in parts.iterator(chunk_size=1000)
        ],
    }
    return orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)


def _told_kind(kind: Kind, rows: int) -> dict[str, Any]:
    told: dict[str, Any] = {"name": kind.name, "what": kind.words, "rows": rows}
    return told | {"fields_left_out": list(kind.secrets), "why": kind.why} if kind.secrets else told
