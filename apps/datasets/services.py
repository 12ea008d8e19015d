"""Writes of datasets. Call inside the organization's scope."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Final

from django.db.models import Max
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import files
from apps.core.errors import Conflict, InvalidRequest
from apps.core.models import StoredFile
from apps.core.spreadsheets import safe_cell
from apps.datasets import queries
from apps.datasets.mapping import (
    ColumnMapping,
    MappingProblem,
    RowValues,
    ValueProblem,
    check,
    convert,
    suggest,
)
from apps.datasets.models import Dataset, DatasetImport, DatasetRow, DatasetVersion
from apps.datasets.parsing import (
    SNIFF_BYTES,
    BadRow,
    GoodRow,
    UnreadableFile,
    read_rows,
    sniff,
    with_choices,
)
from apps.tenants.models import Project

MAX_FILE_BYTES: Final = 10 * 1024 * 1024
MAX_ROWS: Final = 100_000
ROWS_PER_INSERT: Final = 2_000
FILE_DAYS: Final = 30
FORMAT_CHOICES: Final = ("delimiter", "encoding", "has_header")


@dataclass(slots=True)
class _Outcome:
    """What an import has counted so far."""

    good: int = 0
    problems: list[BadRow] = field(default_factory=list)


def upload_file(
    *, actor: Actor, project: Project, name: str, chunks: Iterable[bytes], variables: Iterable[str] = ()
) -> DatasetImport:
    """Store an uploaded file and recognise what it is.

    ``variables`` are those of a prompt, for the proposed mapping. Raises InvalidRequest (``file_too_large``,
    ``file_unreadable``) with the parameter ``file``.
    """
    stored = files.store(
        organization_id=project.organization_id,
        name=name[:255],
        content_type="application/octet-stream",
        chunks=chunks,
        expires_at=timezone.now() + timedelta(days=FILE_DAYS),
        limit=MAX_FILE_BYTES,
    )
    head = _head(stored)
    try:
        facts = sniff(head, whole=stored.size <= len(head))
    except UnreadableFile as error:
        raise InvalidRequest(str(error), code="file_unreadable", param="file") from None
    dataset_import = DatasetImport(
        organization_id=project.organization_id,
        project=project,
        file_name=name[:255],
        file_id=stored.pk,
        size=stored.size,
        facts=asdict(facts),
    )
    _propose(dataset_import, variables)
    dataset_import.save()
    audit.record(
        actor=actor,
        action="dataset_import.uploaded",
        target=dataset_import,
        organization_id=project.organization_id,
        target_name=dataset_import.file_name,
    )
    return dataset_import


def choose_format(
    *, actor: Actor, dataset_import: DatasetImport, delimiter: str, encoding: str, has_header: bool
) -> DatasetImport:
    """Overrule what was recognised, and propose a mapping anew. Raises InvalidRequest, Conflict."""
    _require_open(dataset_import)
    facts = queries.import_facts(dataset_import)
    head = _take(queries.import_chunks(dataset_import), SNIFF_BYTES)
    try:
        chosen = with_choices(facts, head, delimiter=delimiter, encoding=encoding, has_header=has_header)
    except (UnreadableFile, LookupError) as error:
        raise InvalidRequest(str(error), code="file_unreadable", param="delimiter") from None
    before = dataset_import.facts
    dataset_import.facts = asdict(chosen)
    _propose(dataset_import, ())
    dataset_import.save(update_fields=["facts", "mapping"])
    audit.record(
        actor=actor,
        action="dataset_import.format_chosen",
        target=dataset_import,
        organization_id=dataset_import.organization_id,
        changes={name: (before[name], dataset_import.facts[name]) for name in FORMAT_CHOICES},
        target_name=dataset_import.file_name,
    )
    return dataset_import


def import_rows(
    *, actor: Actor, dataset_import: DatasetImport, dataset_name: str, mapping: Sequence[ColumnMapping]
) -> DatasetVersion:
    """Turn an uploaded file into a new version of the dataset of that name, which is created if need be.

    Bad rows are left out, counted and kept as a file to download. Raises InvalidRequest
    (``mapping_invalid``, ``no_rows``, ``too_many_rows``) and Conflict for a file that was imported before.
    """
    _require_open(dataset_import)
    facts = queries.import_facts(dataset_import)
    try:
        check(mapping, facts.columns)
    except MappingProblem as problem:
        raise InvalidRequest(
            str(problem), code="mapping_invalid", param=f"mapping.{problem.column}"
        ) from None
    version = _new_version(dataset_import.project, dataset_name, [item.as_json() for item in mapping])
    outcome = _Outcome()
    rows = _converted(read_rows(queries.import_chunks(dataset_import), facts), mapping, outcome)
    _insert(version, rows)
    _finish(version, dataset_import, outcome)
    dataset_import.mapping = [item.as_json() for item in mapping]
    dataset_import.version = version
    dataset_import.save(update_fields=["mapping", "version"])
    _record_version(actor, version, outcome)
    return version


def create_version(
    *, actor: Actor, project: Project, dataset_name: str, rows: Sequence[RowValues]
) -> DatasetVersion:
    """Make a new version of the dataset of that name from rows given directly. Raises InvalidRequest."""
    if not rows:
        raise InvalidRequest("Give at least one row.", code="no_rows", param="rows")
    names = sorted({name for row in rows for name in row.variables})
    columns = [ColumnMapping(name, "variable", name, "json").as_json() for name in names]
    if any(row.expected is not None for row in rows):
        columns.append(ColumnMapping("expected", "expected", "expected").as_json())
    version = _new_version(project, dataset_name, columns)
    _insert(version, iter(rows))
    version.row_count = len(rows)
    version.save(update_fields=["row_count"])
    _record_version(actor, version, _Outcome(good=len(rows)))
    return version


def _require_open(dataset_import: DatasetImport) -> None:
    """Lock the import until the transaction ends. Raises Conflict once it has become a version."""
    locked = DatasetImport.objects.select_for_update().get(pk=dataset_import.pk)
    if locked.version_id is not None:
        raise Conflict("This file has been imported already.", code="already_imported")


def _propose(dataset_import: DatasetImport, variables: Iterable[str]) -> None:
    sample = queries.preview(dataset_import)
    values = [row.values for row in sample.rows if isinstance(row, GoodRow)]
    proposal = suggest(sample.columns, variables, values)
    dataset_import.mapping = [item.as_json() for item in proposal]


def _new_version(project: Project, name: str, columns: list[dict[str, str]]) -> DatasetVersion:
    dataset = _dataset(project, name.strip())
    latest = DatasetVersion.objects.filter(dataset=dataset).aggregate(latest=Max("number"))["latest"] or 0
    return DatasetVersion.objects.create(
        organization_id=project.organization_id, dataset=dataset, number=latest + 1, columns=columns
    )


def _dataset(project: Project, name: str) -> Dataset:
    """The dataset of that name, locked so that its version numbers stay gapless."""
    if not 1 <= len(name) <= 120:
        raise InvalidRequest("A dataset's name has 1 to 120 characters.", param="name")
    defaults = {"organization_id": project.organization_id}
    Dataset.objects.get_or_create(project=project, name=name, defaults=defaults)
    return Dataset.objects.select_for_update().get(project=project, name=name)


def _converted(
    rows: Iterator[GoodRow | BadRow], mapping: Sequence[ColumnMapping], outcome: _Outcome
) -> Iterator[RowValues]:
    for row in rows:
        if isinstance(row, BadRow):
            outcome.problems.append(row)
            continue
        try:
            values = convert(row.values, mapping)
        except ValueProblem as problem:
            outcome.problems.append(BadRow(row.line, str(problem), str(row.values)[:1000]))
            continue
        outcome.good += 1
        if outcome.good > MAX_ROWS:
            raise InvalidRequest(
                f"A dataset holds at most {MAX_ROWS:,} rows.", code="too_many_rows", param="file"
            )
        yield values


def _insert(version: DatasetVersion, rows: Iterator[RowValues]) -> None:
    batch: list[DatasetRow] = []
    for number, row in enumerate(rows, start=1):
        batch.append(
            DatasetRow(
                organization_id=version.organization_id,
                dataset_version=version,
                number=number,
                variables=row.variables,
                expected=row.expected,
                metadata=row.metadata,
            )
        )
        if len(batch) == ROWS_PER_INSERT:
            DatasetRow.objects.bulk_create(batch)
            batch.clear()
    DatasetRow.objects.bulk_create(batch)


def _finish(version: DatasetVersion, dataset_import: DatasetImport, outcome: _Outcome) -> None:
    if not outcome.good:
        first = f" Line {outcome.problems[0].line}: {outcome.problems[0].reason}." if outcome.problems else ""
        raise InvalidRequest(f"No row of the file can be used.{first}", code="no_rows", param="file")
    version.row_count = outcome.good
    version.problem_count = len(outcome.problems)
    version.file_id = dataset_import.file_id
    if outcome.problems:
        version.problems_file_id = _store_problems(version, dataset_import, outcome.problems).pk
    version.save(update_fields=["row_count", "problem_count", "file_id", "problems_file_id"])


def _store_problems(
    version: DatasetVersion, dataset_import: DatasetImport, problems: list[BadRow]
) -> StoredFile:
    return files.store(
        organization_id=version.organization_id,
        name=f"problems in {dataset_import.file_name}"[:250] + ".csv",
        content_type="text/csv",
        chunks=_problem_lines(problems),
        expires_at=timezone.now() + timedelta(days=FILE_DAYS),
    )


def _problem_lines(problems: list[BadRow]) -> Iterator[bytes]:
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(["line", "problem", "row"])
    for problem in problems:
        printable = problem.raw.encode("utf-8", "replace").decode()
        writer.writerow([problem.line, safe_cell(problem.reason), safe_cell(printable)])
    yield target.getvalue().encode("utf-8", "replace")


def _record_version(actor: Actor, version: DatasetVersion, outcome: _Outcome) -> None:
    audit.record(
        actor=actor,
        action="dataset_version.created",
        target=version,
        organization_id=version.organization_id,
        changes={"rows": (None, outcome.good), "problems": (None, len(outcome.problems))},
        target_name=f"{version.dataset.name} v{version.number}",
    )


def _head(stored: StoredFile) -> bytes:
    return _take(files.read(stored), SNIFF_BYTES)


def _take(chunks: Iterator[bytes], count: int) -> bytes:
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= count:
            break
    return head[:count]
