"""From an uploaded file to a proposal: store it, recognise what it is, read it through."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import files
from apps.core.errors import Conflict, InvalidRequest
from apps.datasets import queries
from apps.datasets.limits import MAX_FILE_BYTES, MAX_ROWS, SMALL_FILE_BYTES
from apps.datasets.mapping import suggest
from apps.datasets.models import DatasetImport, ImportState
from apps.datasets.parsing import (
    SNIFF_BYTES,
    FileFacts,
    GoodRow,
    TooManyRows,
    UnreadableFile,
    measure,
    sniff,
    with_choices,
)
from apps.datasets.ringing import ring
from apps.tenants.models import Project

FILE_DAYS: Final = 30
FORMAT_CHOICES: Final = ("delimiter", "encoding", "has_header")


def upload_file(
    *, actor: Actor, project: Project, name: str, chunks: Iterable[bytes], variables: Iterable[str] = ()
) -> DatasetImport:
    """Store an uploaded file and recognise what it is.

    A file of more than two megabytes is read through by a worker afterwards: until then it is `reading`, and
    what is known of it comes from its beginning. ``variables`` are those of a prompt, for the proposed
    mapping. Raises InvalidRequest (``file_too_large``, ``file_unreadable``, ``too_many_rows``) with the
    parameter ``file``.
    """
    file = files.store(
        organization_id=project.organization_id,
        name=name[:255],
        content_type="application/octet-stream",
        chunks=chunks,
        expires_at=timezone.now() + timedelta(days=FILE_DAYS),
        limit=MAX_FILE_BYTES,
    )
    head = take(files.read(file), SNIFF_BYTES)
    try:
        facts = sniff(head, whole=file.size <= len(head))
    except UnreadableFile as error:
        raise InvalidRequest(str(error), code="file_unreadable", param="file") from None
    dataset_import = DatasetImport(
        organization_id=project.organization_id,
        project=project,
        file_name=name[:255],
        file_id=file.pk,
        size=file.size,
        variables=list(variables),
    )
    _read(dataset_import, facts, param="file")
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
    require_waiting(dataset_import)
    facts = queries.import_facts(dataset_import)
    head = take(queries.import_chunks(dataset_import), SNIFF_BYTES)
    try:
        chosen = with_choices(facts, head, delimiter=delimiter, encoding=encoding, has_header=has_header)
    except (UnreadableFile, LookupError) as error:
        raise InvalidRequest(str(error), code="file_unreadable", param="delimiter") from None
    before = dataset_import.facts
    _read(dataset_import, chosen, param="delimiter")
    audit.record(
        actor=actor,
        action="dataset_import.format_chosen",
        target=dataset_import,
        organization_id=dataset_import.organization_id,
        changes={name: (before[name], dataset_import.facts[name]) for name in FORMAT_CHOICES},
        target_name=dataset_import.file_name,
    )
    return dataset_import


def facts_json(facts: FileFacts) -> dict[str, Any]:
    """Facts as an import keeps them."""
    return asdict(facts)


def note_facts(dataset_import: DatasetImport, facts: FileFacts) -> None:
    """What a file was found to be, with a mapping proposed from its first rows. Does not save."""
    dataset_import.facts = facts_json(facts)
    sample = queries.preview(dataset_import)
    values = [row.values for row in sample.rows if isinstance(row, GoodRow)]
    proposal = suggest(sample.columns, dataset_import.variables, values)
    dataset_import.mapping = [item.as_json() for item in proposal]


def measured(chunks: Iterable[bytes], facts: FileFacts, *, param: str) -> FileFacts:
    """The facts of the whole file. Raises InvalidRequest (``file_unreadable``, ``too_many_rows``)."""
    try:
        return measure(chunks, facts, limit=MAX_ROWS)
    except TooManyRows:
        message = f"The file has more than {MAX_ROWS:,} rows, the most that a dataset holds. Split it."
        raise InvalidRequest(message, code="too_many_rows", param="file") from None
    except UnreadableFile as error:
        raise InvalidRequest(str(error), code="file_unreadable", param=param) from None


def require_waiting(dataset_import: DatasetImport) -> None:
    """Lock the import until the transaction ends. Raises Conflict unless a mapping may be given now."""
    locked = DatasetImport.objects.select_for_update().get(pk=dataset_import.pk)
    if locked.is_imported:
        raise Conflict("This file has been imported already.", code="already_imported")
    if locked.is_under_way:
        doing = "read through" if locked.state == ImportState.READING else "imported"
        raise Conflict(
            f"This file is being {doing}. Wait for its end.", code="import_under_way", retry_after=1
        )


def take(chunks: Iterator[bytes], count: int) -> bytes:
    """The first bytes of a file."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= count:
            break
    return head[:count]


def _read(dataset_import: DatasetImport, facts: FileFacts, *, param: str) -> None:
    """Read a small file through at once, and leave a large one to a worker."""
    dataset_import.error_code = dataset_import.error_message = ""
    dataset_import.bytes_read = dataset_import.failures = 0
    if dataset_import.size <= SMALL_FILE_BYTES:
        facts = measured(queries.import_chunks(dataset_import), facts, param=param)
        dataset_import.state = ImportState.WAITING
    else:
        dataset_import.state = ImportState.READING
    note_facts(dataset_import, facts)
    dataset_import.touched_at = timezone.now()
    dataset_import.save()
    if dataset_import.state == ImportState.READING:
        ring(dataset_import)
