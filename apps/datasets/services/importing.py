"""From a mapped file to a version: rows go into a hidden dataset, whose version moves when it is whole."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.utils import timezone

from apps.audit.actor import Actor
from apps.core import files
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.models import StoredFile
from apps.core.spreadsheets import safe_cell
from apps.datasets import queries
from apps.datasets.limits import MAX_ROWS, MOST_PROBLEMS_KEPT, SMALL_FILE_BYTES
from apps.datasets.mapping import ColumnMapping, ValueProblem
from apps.datasets.models import Dataset, DatasetImport, DatasetVersion, ImportState, Origin, VersionKind
from apps.datasets.parsing import BadRow, FileFacts, GoodRow, read_rows
from apps.datasets.ringing import ring
from apps.datasets.row_storage import insert_rows
from apps.datasets.services.uploading import FILE_DAYS, require_waiting
from apps.datasets.services.versions import (
    check_mapping,
    checked_name,
    finish_version,
    get_or_create_dataset,
    lock_latest,
    next_version,
)
from apps.datasets.values import StoredValues, stored


@dataclass(slots=True)
class Outcome:
    """What an import has counted so far; only the first ten thousand problems are kept."""

    good: int = 0
    bad: int = 0
    problems: list[BadRow] = field(default_factory=list)

    def add_problem(self, problem: BadRow) -> None:
        """Count a row that can't be used."""
        self.bad += 1
        if len(self.problems) < MOST_PROBLEMS_KEPT:
            self.problems.append(problem)


def start_import(
    *,
    actor: Actor,
    dataset_import: DatasetImport,
    mapping: Sequence[ColumnMapping],
    dataset_name: str = "",
    into: DatasetVersion | None = None,
) -> DatasetImport:
    """Begin to turn an uploaded file into a new version of the dataset of that name.

    Without a name the rows are for a batch and stay out of the library, in the empty version `into` if there
    is one already. A small file is imported when this returns; a larger one by a worker, which goes on where
    a killed one was. Bad rows are left out, counted and kept as a file to download.

    Raises InvalidRequest (``mapping_invalid``, ``no_rows``, ``too_many_rows``), NotFound (``file_expired``)
    and Conflict for a file that was imported before, is under way, or is for an archived dataset.
    """
    require_waiting(dataset_import)
    facts = queries.import_facts(dataset_import)
    check_mapping(mapping, facts.columns)
    if facts.rows > MAX_ROWS:
        raise InvalidRequest(
            f"The file has {facts.rows:,} rows; a dataset holds at most {MAX_ROWS:,}. Split it.",
            code="too_many_rows",
            param="file",
        )
    if queries.stored_file(dataset_import.file_id) is None:
        raise NotFound("The uploaded file has expired. Upload it again.", code="file_expired")
    dataset_import.dataset_name = checked_name(dataset_name) if dataset_name else ""
    _refuse_archived(dataset_import)
    staged = _stage(actor, dataset_import, facts, mapping, into)
    dataset_import.mapping = [item.as_json() for item in mapping]
    dataset_import.staged_version_id = staged.pk
    dataset_import.state = ImportState.IMPORTING
    dataset_import.rows_written = dataset_import.bytes_read = dataset_import.failures = 0
    dataset_import.error_code = dataset_import.error_message = ""
    dataset_import.started_by_kind, dataset_import.started_by_id = actor.kind, actor.id
    dataset_import.started_by_name = actor.display[:254]
    dataset_import.touched_at = timezone.now()
    dataset_import.save()
    if dataset_import.size > SMALL_FILE_BYTES:
        ring(dataset_import)
        return dataset_import
    outcome = Outcome()
    rows = converted(queries.import_chunks(dataset_import), dataset_import, outcome)
    insert_rows(staged, rows)
    finish_import(dataset_import, outcome, actor=actor)
    return dataset_import


def import_rows(
    *, actor: Actor, dataset_import: DatasetImport, dataset_name: str, mapping: Sequence[ColumnMapping]
) -> DatasetVersion:
    """`start_import` of a small file: the finished version."""
    started = start_import(
        actor=actor, dataset_import=dataset_import, dataset_name=dataset_name, mapping=mapping
    )
    if started.version is None:
        raise Conflict("The file is being imported by a worker.", code="import_under_way")
    return started.version


def converted(
    chunks: Iterable[bytes], dataset_import: DatasetImport, outcome: Outcome
) -> Iterator[StoredValues]:
    """The rows of the file as they are kept; those that can't be used go into `outcome`."""
    facts = queries.import_facts(dataset_import)
    mapping = queries.import_mapping(dataset_import)
    return _converted(read_rows(chunks, facts), mapping, outcome, text=facts.format == "csv")


def finish_import(dataset_import: DatasetImport, outcome: Outcome, *, actor: Actor) -> DatasetVersion:
    """Give the staged version, which has all its rows, its place. Raises InvalidRequest, Conflict."""
    version = staged_version(dataset_import)
    _refuse_useless(outcome)
    version.problem_count = outcome.bad
    version.file_id = dataset_import.file_id
    if outcome.problems:
        version.problems_file_id = _store_problems(version, dataset_import, outcome).pk
    latest = _place(version, dataset_import)
    dataset_import.version = version
    dataset_import.state = ImportState.IMPORTED
    dataset_import.rows_written = outcome.good
    dataset_import.started_by_id, dataset_import.started_by_name = None, ""
    dataset_import.save()
    return finish_version(actor, version, latest)


def staged_version(dataset_import: DatasetImport) -> DatasetVersion:
    """The version that the rows of an import are written to."""
    if dataset_import.staged_version_id is None:
        raise RuntimeError("an import under way has a staged version")
    return DatasetVersion.objects.select_related("dataset").get(pk=dataset_import.staged_version_id)


def drop_staged(dataset_import: DatasetImport) -> None:
    """Give up the rows of an import that came to nothing; the purge of deleted datasets takes them."""
    if dataset_import.staged_version_id is None:
        return
    staged = DatasetVersion.objects.filter(pk=dataset_import.staged_version_id)
    Dataset.objects.filter(pk__in=staged.values("dataset_id"), origin=Origin.IMPORT).update(
        deleted_at=timezone.now()
    )


def _refuse_archived(dataset_import: DatasetImport) -> None:
    found = queries.library(dataset_import.project).filter(
        name=dataset_import.dataset_name, archived_at__isnull=False
    )
    if dataset_import.dataset_name and found.exists():
        raise Conflict("The dataset is archived. Bring it back first.", code="dataset_archived")


def _stage(
    actor: Actor,
    dataset_import: DatasetImport,
    facts: FileFacts,
    mapping: Sequence[ColumnMapping],
    into: DatasetVersion | None,
) -> DatasetVersion:
    if into is not None:
        into.columns = [item.as_json() for item in mapping]
        into.layout, into.kind = into.layout | _layout(facts), VersionKind.IMPORT
        into.save(update_fields=["columns", "layout", "kind"])
        return into
    dataset = Dataset.objects.create(
        organization_id=dataset_import.organization_id,
        project=dataset_import.project,
        name=" ".join(dataset_import.file_name.split())[:120] or "Rows",
        origin=Origin.IMPORT,
    )
    return next_version(actor, dataset, None, VersionKind.IMPORT, mapping, _layout(facts), "")


def _place(version: DatasetVersion, dataset_import: DatasetImport) -> DatasetVersion | None:
    """Move the version behind the latest one of its dataset, or leave it to its batch; the one before it."""
    staging: Dataset = version.dataset
    if not dataset_import.dataset_name:
        staging.origin = Origin.BATCH
        staging.save(update_fields=["origin"])
        return None
    dataset = get_or_create_dataset(dataset_import.project, dataset_import.dataset_name)
    latest = lock_latest(dataset)
    version.dataset, version.number = dataset, latest.number + 1 if latest else 1
    version.save(update_fields=["dataset", "number"])
    staging.delete()
    return latest


def _layout(facts: FileFacts) -> dict[str, object]:
    if facts.format == "jsonl":
        return {"format": "jsonl"}
    return {"format": "csv", "header": list(facts.header) if facts.has_header else None}


def _converted(
    rows: Iterator[GoodRow | BadRow],
    mapping: Sequence[ColumnMapping],
    outcome: Outcome,
    *,
    text: bool,
) -> Iterator[StoredValues]:
    for row in rows:
        if isinstance(row, BadRow):
            outcome.add_problem(row)
            continue
        try:
            values = stored(row.values, mapping, text=text)
        except ValueProblem as problem:
            outcome.add_problem(BadRow(row.line, str(problem), str(row.values)[:1000]))
            continue
        outcome.good += 1
        yield values


def _refuse_useless(outcome: Outcome) -> None:
    if outcome.problems and not outcome.good:
        first = outcome.problems[0]
        raise InvalidRequest(
            f"No row of the file can be used. Line {first.line}: {first.reason}.",
            code="no_rows",
            param="file",
        )


def _store_problems(version: DatasetVersion, dataset_import: DatasetImport, outcome: Outcome) -> StoredFile:
    return files.store(
        organization_id=version.organization_id,
        name=f"problems in {dataset_import.file_name}"[:250] + ".csv",
        content_type="text/csv",
        chunks=_problem_lines(outcome),
        expires_at=timezone.now() + timedelta(days=FILE_DAYS),
    )


def _problem_lines(outcome: Outcome) -> Iterator[bytes]:
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(["line", "problem", "row"])
    for problem in outcome.problems:
        printable = problem.raw.encode("utf-8", "replace").decode()
        writer.writerow([problem.line, safe_cell(problem.reason), safe_cell(printable)])
    if outcome.bad > len(outcome.problems):
        writer.writerow(["", f"and {outcome.bad - len(outcome.problems):,} more rows", ""])
    yield target.getvalue().encode("utf-8", "replace")
