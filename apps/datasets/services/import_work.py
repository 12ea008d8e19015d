"""A worker's part of an import: read a large file through, write its rows, in pieces that survive a kill.

Each piece is a transaction that says how far the work is, and goes through only if nobody was further: two
workers on one import do no harm. A successor reads the file from its beginning and leaves out what is
written, which takes a third of the time of writing it.
"""

import itertools
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from apps.audit.actor import SYSTEM, Actor
from apps.core import files
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.logs import get_logger
from apps.core.models import StoredFile
from apps.core.scope import organization_scope, system_scope
from apps.datasets import queries
from apps.datasets.models import UNDER_WAY, DatasetImport, ImportState
from apps.datasets.ringing import ring
from apps.datasets.row_storage import ROWS_A_STATEMENT, insert_rows
from apps.datasets.services.importing import (
    Outcome,
    converted,
    drop_staged,
    finish_import,
    staged_version,
)
from apps.datasets.services.uploading import measured, note_facts
from apps.datasets.values import StoredValues

NOTED_BYTES: Final = 4 * files.CHUNK_BYTES
SILENCE: Final = timedelta(seconds=30)
"""Whoever was silent for that long is gone, or waits."""

AT_ONCE: Final = 100
MOST_FAILURES: Final = 5

logger = get_logger(__name__)


def work_off(import_id: UUID, seconds: float) -> bool:
    """Work on an import for about so many seconds; whether there is more to do.

    What can't be imported ends it as failed, with the reason. After five attempts in a row that broke off for
    another reason it has failed too.
    """
    found = _find(import_id)
    if found is None:
        return False
    until = time.monotonic() + seconds
    try:
        if found.state == ImportState.READING:
            return _read_through(found)
        return _write_rows(found, until)
    except (Conflict, InvalidRequest, NotFound) as error:
        _fail(found, error.code, error.message)
    except Exception:
        logger.exception("dataset_import.piece_failed", extra={"dataset_import": found.public_id})
        _count_failure(found)
    return False


def sweep_imports() -> int:
    """Ring for imports that nobody works on; returns how many there were."""
    with system_scope():
        waiting = DatasetImport.all_organizations.filter(
            state__in=UNDER_WAY, touched_at__lt=timezone.now() - SILENCE
        ).order_by("touched_at")[:AT_ONCE]
        silent = list(waiting)
        for each in silent:
            ring(each)
    return len(silent)


def _find(import_id: UUID) -> DatasetImport | None:
    with system_scope():
        rows = DatasetImport.all_organizations.filter(pk=import_id, state__in=UNDER_WAY)
        return rows.select_related("project").first()


def _read_through(found: DatasetImport) -> bool:
    facts = measured(_chunks(found), queries.import_facts(found), param="file")
    with organization_scope(found.organization_id):
        held = _held(found)
        if held is not None:
            note_facts(held, facts)
            held.state, held.failures = ImportState.WAITING, 0
            held.save()
    return False


def _write_rows(found: DatasetImport, until: float) -> bool:
    outcome = Outcome()
    rows = converted(_chunks(found), found, outcome)
    written = found.rows_written
    for _ in itertools.islice(rows, written):
        pass
    while batch := list(itertools.islice(rows, ROWS_A_STATEMENT)):
        if not _write(found, batch, written):
            return False
        written += len(batch)
        if time.monotonic() > until:
            return True
    with organization_scope(found.organization_id):
        held = _held(found, written)
        if held is not None:
            finish_import(held, outcome, actor=_actor(held))
    return False


def _write(found: DatasetImport, batch: list[StoredValues], written: int) -> bool:
    """Write one piece behind so many rows; False if somebody else did, or the import has ended."""
    with organization_scope(found.organization_id):
        held = _held(found, written)
        if held is None:
            return False
        held.rows_written = insert_rows(staged_version(held), batch, before=written)
        held.failures, held.touched_at = 0, timezone.now()
        held.save(update_fields=["rows_written", "failures", "touched_at"])
    return True


def _held(found: DatasetImport, written: int | None = None) -> DatasetImport | None:
    """The import, locked, unless it is elsewhere by now."""
    rows = DatasetImport.objects.select_for_update().filter(
        pk=found.pk, state=found.state, staged_version_id=found.staged_version_id
    )
    return (rows if written is None else rows.filter(rows_written=written)).first()


def _chunks(found: DatasetImport) -> Iterator[bytes]:
    """The file's bytes, each read in a scope of its own; tells now and then how far it is."""
    with organization_scope(found.organization_id):
        stored = StoredFile.objects.filter(pk=found.file_id).first()
    if stored is None:
        raise NotFound("The uploaded file has expired. Upload it again.", code="file_expired")
    size = 0
    for chunk in files.stream(stored):
        yield chunk
        size += len(chunk)
        if size % NOTED_BYTES < len(chunk):
            with organization_scope(found.organization_id):
                rows = DatasetImport.objects.filter(pk=found.pk, state=found.state)
                rows.update(bytes_read=size, touched_at=timezone.now())


def _actor(held: DatasetImport) -> Actor:
    kind = held.started_by_kind
    if kind not in ("user", "api_key", "staff"):
        return SYSTEM
    return Actor(kind=kind, id=held.started_by_id, role="import", display=held.started_by_name)  # type: ignore[arg-type]


def _count_failure(found: DatasetImport) -> None:
    with organization_scope(found.organization_id):
        DatasetImport.objects.filter(pk=found.pk).update(failures=F("failures") + 1)
        failures = DatasetImport.objects.filter(pk=found.pk).values_list("failures", flat=True).first() or 0
    if failures >= MOST_FAILURES:
        message = f"The import broke off {MOST_FAILURES} times and was given up. Start it again."
        _fail(found, "import_failed", message)


def _fail(found: DatasetImport, code: str, message: str) -> None:
    with organization_scope(found.organization_id):
        held = _held(found)
        if held is not None:
            drop_staged(held)
            held.state, held.error_code, held.error_message = ImportState.FAILED, code, message[:500]
            held.save(update_fields=["state", "error_code", "error_message"])
