"""Rows that a batch takes from elsewhere: a dataset out of the library, which can be taken into it."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

import orjson
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import files
from apps.core.errors import Conflict, InvalidRequest
from apps.datasets.limits import MAX_FILE_BYTES
from apps.datasets.mapping import ColumnMapping, RowValues, ValueProblem
from apps.datasets.models import Dataset, DatasetImport, DatasetVersion, ImportState, Origin, VersionKind
from apps.datasets.parsing import FileFacts
from apps.datasets.row_storage import insert_rows, measure_rows
from apps.datasets.services.uploading import FILE_DAYS, facts_json
from apps.datasets.services.versions import (
    check_names,
    checked_name,
    extended_columns,
    given_values,
    stored_row,
)
from apps.datasets.values import columns_mapping
from apps.tenants.models import Project

ROWS_A_CHUNK: Final = 2_000


def create_batch_rows(*, project: Project, name: str, source: str, actor: Actor) -> DatasetVersion:
    """An empty version outside of the library, which rows are added to; `source` says where they are from."""
    dataset = Dataset.objects.create(
        organization_id=project.organization_id,
        project=project,
        name=" ".join(name.split())[:120] or "Rows",
        origin=Origin.BATCH,
    )
    return DatasetVersion.objects.create(
        organization_id=project.organization_id,
        dataset=dataset,
        number=1,
        layout={"format": "jsonl", "from": source},
        kind=VersionKind.ROWS,
        created_by_id=actor.id if actor.kind == "user" else None,
    )


def finish_batch_rows(version: DatasetVersion, columns: Sequence[ColumnMapping], rows: int) -> DatasetVersion:
    """Say what a version outside of the library holds, once all of its rows are there."""
    version.columns = [item.as_json() for item in columns]
    version.row_count = rows
    version.byte_count = measure_rows(version)
    version.save(update_fields=["columns", "row_count", "byte_count"])
    return version


def append_batch_rows(version: DatasetVersion, rows: Sequence[RowValues]) -> int:
    """Add a few rows to a locked version outside of the library; returns the first one's number.

    Raises InvalidRequest that names the row.
    """
    columns = extended_columns(columns_mapping(version.columns), rows)
    before = version.row_count
    version.row_count = insert_rows(version, _stored(rows, columns), before=before)
    version.columns = [item.as_json() for item in columns]
    version.save(update_fields=["columns", "row_count"])
    return before + 1


def store_batch_rows(
    *, actor: Actor, project: Project, name: str, source: str, rows: Sequence[RowValues]
) -> DatasetVersion:
    """Keep a few rows outside of the library. Raises InvalidRequest that names the row."""
    columns = extended_columns((), rows)
    version = create_batch_rows(project=project, name=name, source=source, actor=actor)
    insert_rows(version, _stored(rows, columns))
    return finish_batch_rows(version, columns, len(rows))


def upload_rows(*, actor: Actor, project: Project, name: str, rows: Sequence[RowValues]) -> DatasetImport:
    """Keep many rows as a file that is mapped already and waits to be imported. Raises InvalidRequest."""
    columns = extended_columns((), rows)
    file = files.store(
        organization_id=project.organization_id,
        name=f"{name[:240]}.jsonl",
        content_type="application/octet-stream",
        chunks=_lines(rows, columns),
        expires_at=timezone.now() + timedelta(days=FILE_DAYS),
        limit=MAX_FILE_BYTES,
    )
    facts = FileFacts(
        "jsonl", "utf-8", False, "", False, tuple(item.column for item in columns), False, rows=len(rows)
    )
    waiting = DatasetImport(
        organization_id=project.organization_id,
        project=project,
        file_name=name[:255],
        file_id=file.pk,
        size=file.size,
        facts=facts_json(facts),
        mapping=[item.as_json() for item in columns],
        state=ImportState.WAITING,
        touched_at=timezone.now(),
    )
    waiting.save()
    audit.record(
        actor=actor,
        action="dataset_import.uploaded",
        target=waiting,
        organization_id=project.organization_id,
        target_name=waiting.file_name,
    )
    return waiting


def keep_dataset(*, actor: Actor, version: DatasetVersion, name: str) -> Dataset:
    """Take the rows of a batch into the library under a name of their own.

    Raises Conflict (`name_taken`, `dataset_kept`), InvalidRequest for a bad name or rows that are not there.
    """
    dataset = Dataset.objects.select_for_update().get(pk=version.dataset_id)
    if dataset.origin == Origin.LIBRARY:
        raise Conflict(f"These rows are in the library already, as {dataset.name}.", code="dataset_kept")
    if not version.row_count or version.rows_deleted_at is not None:
        raise InvalidRequest("There are no rows to keep.", code="dataset_empty")
    dataset.name, dataset.origin = checked_name(name), Origin.LIBRARY
    try:
        with transaction.atomic():
            dataset.save(update_fields=["name", "origin"])
    except IntegrityError:
        message = "The project has a dataset of that name. Choose another one."
        raise Conflict(message, code="name_taken", param="name") from None
    audit.record(
        actor=actor,
        action="dataset.kept",
        target=dataset,
        organization_id=dataset.organization_id,
        changes={"rows": (None, version.row_count)},
        target_name=dataset.name,
    )
    return dataset


def _stored(rows: Sequence[RowValues], columns: Sequence[ColumnMapping]) -> Iterator[Any]:
    for number, row in enumerate(rows):
        try:
            check_names(row)
            yield stored_row(row, columns, text=False)
        except ValueProblem as problem:
            raise _refused(number, problem) from None


def _lines(rows: Sequence[RowValues], columns: Sequence[ColumnMapping]) -> Iterable[bytes]:
    for first in range(0, len(rows), ROWS_A_CHUNK):
        lines = []
        for number, row in enumerate(rows[first : first + ROWS_A_CHUNK], start=first):
            try:
                check_names(row)
            except ValueProblem as problem:
                raise _refused(number, problem) from None
            lines.append(orjson.dumps(given_values(row, columns)) + b"\n")
        yield b"".join(lines)


def _refused(number: int, problem: ValueProblem) -> InvalidRequest:
    return InvalidRequest(f"Row {number + 1}: {problem}.", code="row_invalid", param=f"rows.{number}")
