"""Rows of datasets and results of batches that hold a person: emptied in place, so that numbers stay true."""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

import orjson

from apps.batches.models import BatchItem, BatchJob
from apps.batches.numbering import row_of
from apps.core import ids
from apps.core.models import FileChunk, StoredFile
from apps.datasets.models import (
    DatasetChange,
    DatasetDraft,
    DatasetImport,
    DatasetRow,
    DatasetVersion,
)
from apps.retention.erasure.runs import BLANK, blank_items, erase_runs, runs_of_person
from apps.retention.erasure.work import Work, walk, walk_children
from apps.runs.models import Run

EXPECTED: Final = "expected"


def blank_dataset_rows(work: Work) -> bool:
    """The next rows of one version: those added from the person's runs, with their value, or with a text."""
    version_id, found, through = walk_children(
        work,
        DatasetVersion.all_organizations.filter(organization_id=work.organization_id),
        lambda version: DatasetRow.all_organizations.filter(
            organization_id=work.organization_id, dataset_version_id=version
        ),
        "number",
    )
    rows = _of_person(work, found)
    if version_id is not None and rows:
        changed = DatasetRow.all_organizations.filter(pk__in=[row.pk for row in rows]).update(**BLANK)
        work.count("dataset_rows", changed)
        _erase_results(work, version_id, [row.number for row in rows])
        _delete_originals(work, version_id)
    return through


def blank_dataset_changes(work: Work) -> bool:
    """The next edited rows of drafts."""
    _, found, through = walk_children(
        work,
        DatasetDraft.all_organizations.filter(organization_id=work.organization_id),
        lambda draft: DatasetChange.all_organizations.filter(
            organization_id=work.organization_id, draft_id=draft
        ),
        "pk",
    )
    rows = _of_person(work, found)
    changes = DatasetChange.all_organizations.filter(pk__in=[row.pk for row in rows])
    work.count("dataset_rows", changes.update(**BLANK) if rows else 0)
    return through


def blank_batches(work: Work) -> bool:
    """The next batches' metadata, and why they could not start."""
    found, through = walk(
        work,
        BatchJob.all_organizations.filter(organization_id=work.organization_id).only(
            "id", "metadata", "problem"
        ),
    )
    holding = [job.pk for job in found if work.texts.stand_in(job.metadata, job.problem)]
    jobs = BatchJob.all_organizations.filter(pk__in=holding)
    work.count("batches", jobs.update(metadata={}, problem={}) if holding else 0)
    return through


def blank_batch_results(work: Work) -> bool:
    """The next results of one batch."""
    if not work.texts:
        return True
    _, found, through = walk_children(
        work,
        BatchJob.all_organizations.filter(organization_id=work.organization_id),
        lambda batch: BatchItem.all_organizations.filter(
            organization_id=work.organization_id, batch_id=batch
        ).only("id", "number", "output", "parsed", "error_message", "run_id"),
        "number",
    )
    holding = [item for item in found if work.texts.stand_in(item.output, item.parsed, item.error_message)]
    blank_items(work, [item.pk for item in holding])
    erase_runs(work, [item.run_id for item in holding if item.run_id])
    return through


def delete_files(work: Work, file_ids: Iterable[UUID]) -> None:
    """Delete files, and what waits to be imported from them."""
    wanted = sorted(file_ids)
    if not wanted:
        return
    ours = {"organization_id": work.organization_id}
    imports, _ = DatasetImport.all_organizations.filter(**ours, file_id__in=wanted).delete()
    versions = DatasetVersion.all_organizations.filter(**ours)
    versions.filter(file_id__in=wanted).update(file_id=None)
    versions.filter(problems_file_id__in=wanted).update(problems_file_id=None)
    FileChunk.all_organizations.filter(**ours, file_id__in=wanted).delete()
    files, _ = StoredFile.all_organizations.filter(**ours, pk__in=wanted).delete()
    work.count("files", files)
    work.count("uploads", imports)


def _of_person(work: Work, rows: Sequence[Any]) -> list[Any]:
    added_from = {row.pk: _run_of(row) for row in rows}
    theirs = runs_of_person(work, [run_id for run_id in added_from.values() if run_id])
    return [
        row for row in rows if added_from[row.pk] in theirs or _has_value(work, row) or _has_text(work, row)
    ]


def _run_of(row: Any) -> UUID | None:
    """The run that a row was added from, as `runs.dataset_rows` notes it."""
    told = row.metadata.get("run_id") if isinstance(row.metadata, dict) else None
    return ids.decode_or_none(Run.PREFIX, told) if isinstance(told, str) else None


def _has_value(work: Work, row: Any) -> bool:
    if not work.subject.columns:
        return False
    source = orjson.loads(row.source) if row.source else {}
    values = [each for each in (row.variables, row.metadata, source) if isinstance(each, dict)]
    values.append({EXPECTED: row.expected})
    return any(
        column in each and str(each[column]).strip() == value
        for column, value in work.subject.columns
        for each in values
    )


def _has_text(work: Work, row: Any) -> bool:
    return work.texts.stand_in(row.variables, row.expected, row.metadata, row.source)


def _erase_results(work: Work, version_id: UUID, numbers: Sequence[int]) -> None:
    """What batches made of the rows."""
    ours = {"organization_id": work.organization_id}
    jobs = list(BatchJob.all_organizations.filter(**ours, dataset_version_id=version_id))
    items = [
        item
        for job in jobs
        for item in BatchItem.all_organizations.annotate(row=row_of(job))
        .filter(**ours, batch_id=job.pk, row__in=numbers)
        .only("id", "run_id")
    ]
    blank_items(work, [item.pk for item in items])
    erase_runs(work, [item.run_id for item in items if item.run_id])


def _delete_originals(work: Work, version_id: UUID) -> None:
    """The uploaded file still holds the rows as they came."""
    version = DatasetVersion.all_organizations.get(pk=version_id)
    delete_files(work, {each for each in (version.file_id, version.problems_file_id) if each})
