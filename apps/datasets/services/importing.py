"""From an uploaded file to a version: recognise, choose, import."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Final

from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import files
from apps.core.errors import Conflict, InvalidRequest
from apps.core.models import StoredFile
from apps.core.spreadsheets import safe_cell
from apps.datasets import queries
from apps.datasets.mapping import ColumnMapping, ValueProblem, suggest
from apps.datasets.models import DatasetImport, DatasetVersion, VersionKind
from apps.datasets.parsing import (
    SNIFF_BYTES,
    BadRow,
    FileFacts,
    GoodRow,
    UnreadableFile,
    measure,
    read_rows,
    sniff,
    with_choices,
)
from apps.datasets.row_storage import insert_rows
from apps.datasets.services.versions import (
    MAX_ROWS,
    check_mapping,
    finish_version,
    get_or_create_dataset,
    lock_latest,
    next_version,
)
from apps.datasets.values import StoredValues, stored
from apps.tenants.models import Project

MAX_FILE_BYTES: Final = 10 * 1024 * 1024
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
    file = files.store(
        organization_id=project.organization_id,
        name=name[:255],
        content_type="application/octet-stream",
        chunks=chunks,
        expires_at=timezone.now() + timedelta(days=FILE_DAYS),
        limit=MAX_FILE_BYTES,
    )
    head = _head(file)
    try:
        facts = measure(files.read(file), sniff(head, whole=file.size <= len(head)))
    except UnreadableFile as error:
        raise InvalidRequest(str(error), code="file_unreadable", param="file") from None
    dataset_import = DatasetImport(
        organization_id=project.organization_id,
        project=project,
        file_name=name[:255],
        file_id=file.pk,
        size=file.size,
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
        chosen = measure(queries.import_chunks(dataset_import), chosen)
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
    check_mapping(mapping, facts.columns)
    if facts.rows > MAX_ROWS:
        raise InvalidRequest(
            f"The file has {facts.rows:,} rows; a dataset holds at most {MAX_ROWS:,}. Split it.",
            code="too_many_rows",
            param="file",
        )
    dataset = get_or_create_dataset(dataset_import.project, dataset_name)
    latest = lock_latest(dataset)
    version = next_version(actor, dataset, latest, VersionKind.IMPORT, mapping, _layout(facts), "")
    outcome = _Outcome()
    chunks = queries.import_chunks(dataset_import)
    insert_rows(version, _converted(read_rows(chunks, facts), mapping, outcome, text=facts.format == "csv"))
    _keep_problems(version, dataset_import, outcome)
    dataset_import.mapping = [item.as_json() for item in mapping]
    dataset_import.version = version
    dataset_import.save(update_fields=["mapping", "version"])
    return finish_version(actor, version, latest)


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


def _layout(facts: FileFacts) -> dict[str, object]:
    if facts.format == "jsonl":
        return {"format": "jsonl"}
    return {"format": "csv", "header": list(facts.header) if facts.has_header else None}


def _converted(
    rows: Iterator[GoodRow | BadRow],
    mapping: Sequence[ColumnMapping],
    outcome: _Outcome,
    *,
    text: bool,
) -> Iterator[StoredValues]:
    for row in rows:
        if isinstance(row, BadRow):
            outcome.problems.append(row)
            continue
        try:
            values = stored(row.values, mapping, text=text)
        except ValueProblem as problem:
            outcome.problems.append(BadRow(row.line, str(problem), str(row.values)[:1000]))
            continue
        outcome.good += 1
        yield values


def _keep_problems(version: DatasetVersion, dataset_import: DatasetImport, outcome: _Outcome) -> None:
    if outcome.problems and not outcome.good:
        first = outcome.problems[0]
        raise InvalidRequest(
            f"No row of the file can be used. Line {first.line}: {first.reason}.",
            code="no_rows",
            param="file",
        )
    version.problem_count = len(outcome.problems)
    version.file_id = dataset_import.file_id
    if outcome.problems:
        version.problems_file_id = _store_problems(version, dataset_import, outcome.problems).pk


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


def _head(stored: StoredFile) -> bytes:
    return _take(files.read(stored), SNIFF_BYTES)


def _take(chunks: Iterator[bytes], count: int) -> bytes:
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= count:
            break
    return head[:count]
