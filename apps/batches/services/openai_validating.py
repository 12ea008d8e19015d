"""From a file of requests to a job: the file is judged line by line, and its requests become rows.

All of it is one transaction, so a killed worker leaves nothing and its successor begins anew; an advisory
lock, which goes with the transaction, keeps two workers from doing the same work.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.audit.actor import SYSTEM, Actor
from apps.audit.services import record
from apps.batches.estimating import find_model
from apps.batches.models import BatchJob, JobStatus, Source
from apps.batches.openai.lines import Problem, Reader
from apps.batches.openai_models import OpenAIBatch, OpenAIBatchStatus, OpenAIFile
from apps.batches.services.ringing import ring_pump
from apps.batches.services.telling import tell
from apps.core import files
from apps.core.errors import PromptsaasError
from apps.core.models import StoredFile
from apps.core.scope import organization_scope
from apps.datasets.models import Dataset, DatasetVersion, Origin, VersionKind
from apps.datasets.row_storage import insert_rows
from apps.datasets.values import StoredValues
from apps.gateway.chat_requests import PROMPT_PREFIX, parse_reference
from apps.prompts import queries as prompt_queries
from apps.runs.types import PromptReference

CONCURRENCY: Final = 64
TARGETS_CHECKED: Final = 100
COLUMNS: Final[list[dict[str, str]]] = [
    {"column": "custom_id", "role": "metadata", "name": "custom_id", "type": "text"},
    {"column": "body", "role": "variable", "name": "body", "type": "json"},
]


class _Refused(Exception):
    """The file can't be carried out; what was written of it is taken back."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


@dataclass(slots=True)
class _Targets:
    """What a file's requests go to: the one prompt or model, if it is one; whether nothing costs money."""

    only: str = ""
    prompt: PromptReference | None = None
    sandbox: bool = True


def validate_batch(organization_id: UUID, batch_id: UUID) -> bool:
    """Check a batch's file and start its job, or refuse it; False where there is nothing to do here."""
    with organization_scope(organization_id):
        if not take_lock(batch_id):
            return False
        batch = OpenAIBatch.objects.filter(pk=batch_id, status=OpenAIBatchStatus.VALIDATING).first()
        if batch is None:
            return False
        try:
            with transaction.atomic():
                _start(batch)
        except _Refused as refused:
            _refuse(batch, refused.problems)
    return True


def take_lock(batch_id: UUID) -> bool:
    """Whether the batch is ours to work on until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"openai_batch:{batch_id}"]
        )
        return bool(cursor.fetchone()[0])


def starter(batch: OpenAIBatch) -> Actor:
    """Who asked for the batch."""
    kind: Any = batch.started_by_kind
    return Actor(kind, batch.started_by_id, batch.started_by_role, batch.started_by_name)


def _start(batch: OpenAIBatch) -> None:
    file = OpenAIFile.objects.filter(pk=batch.input_file_id, expires_at__gt=timezone.now()).first()
    content = StoredFile.objects.filter(pk=file.content_id).first() if file else None
    if file is None or content is None:
        raise _Refused([Problem("file_not_found", "The input file was deleted or has expired.")])
    reader = Reader(batch.endpoint)
    version = _version(batch)
    version.row_count = insert_rows(version, _rows(reader, content))
    if reader.problems:
        raise _Refused(reader.problems)
    version.save(update_fields=["row_count"])
    targets = _checked_targets(batch, reader)
    # Whoever cancelled meanwhile has the last word.
    started = OpenAIBatch.objects.filter(pk=batch.pk, status=OpenAIBatchStatus.VALIDATING).update(
        status=OpenAIBatchStatus.IN_PROGRESS,
        in_progress_at=timezone.now(),
        model=targets.only[:255],
    )
    if not started:
        raise _Refused([])
    _create_job(batch, file, version, targets)
    ring_pump()


def _version(batch: OpenAIBatch) -> DatasetVersion:
    dataset = Dataset.objects.create(
        organization_id=batch.organization_id,
        project_id=batch.project_id,
        name=batch.public_id,
        origin=Origin.BATCH,
    )
    return DatasetVersion.objects.create(
        organization_id=batch.organization_id,
        dataset=dataset,
        number=1,
        columns=COLUMNS,
        layout={"format": "jsonl"},
        kind=VersionKind.IMPORT,
    )


def _rows(reader: Reader, content: StoredFile) -> Iterator[StoredValues]:
    for request in reader.read(files.read(content)):
        yield StoredValues({"body": request.body}, None, {"custom_id": request.custom_id})


def _checked_targets(batch: OpenAIBatch, reader: Reader) -> _Targets:
    """Look up what the requests name, so that a wrong name is told before anything is run."""
    found, problems = _Targets(), []
    for target, line in list(reader.targets.items())[:TARGETS_CHECKED]:
        try:
            reference, sandbox = _look_up(batch, target)
        except PromptsaasError as error:
            problems.append(Problem(error.code, error.message, line, "body.model"))
            continue
        found.sandbox = found.sandbox and sandbox
        found.prompt = reference
    if problems:
        raise _Refused(problems)
    if len(reader.targets) == 1:
        found.only = next(iter(reader.targets))
    else:
        found.prompt = None
        found.sandbox = found.sandbox and len(reader.targets) <= TARGETS_CHECKED
    return found


def _look_up(batch: OpenAIBatch, target: str) -> tuple[PromptReference | None, bool]:
    """The prompt that a target names, if it names one, and whether its model is the sandbox's."""
    if not target.startswith(PROMPT_PREFIX):
        return None, find_model(batch.project_id, target, livemode=batch.livemode).sandbox
    reference = parse_reference(target.removeprefix(PROMPT_PREFIX))
    prompt = prompt_queries.resolve(
        project_id=batch.project_id, name=reference.name, label=reference.label, number=reference.number
    )
    # Without a model of its own each request names one, or fails by itself.
    sandbox = (
        bool(prompt.model) and find_model(batch.project_id, prompt.model, livemode=batch.livemode).sandbox
    )
    return reference, sandbox


def _create_job(batch: OpenAIBatch, file: OpenAIFile, version: DatasetVersion, targets: _Targets) -> BatchJob:
    metadata = batch.metadata or {}
    prompt = targets.prompt
    job = BatchJob.objects.create(
        id=batch.pk,
        organization_id=batch.organization_id,
        project_id=batch.project_id,
        name=(metadata.get("name") or metadata.get("description") or file.name)[:120],
        dataset_version=version,
        prompt_name=prompt.name if prompt else "",
        version_number=(prompt.number or 0) if prompt else 0,
        label=(prompt.label or "")[:64] if prompt else "",
        model="" if prompt else targets.only[:255],
        metadata=metadata,
        source=Source.FILE,
        work={"kind": "requests", "endpoint": batch.endpoint},
        status=JobStatus.IN_PROGRESS,
        concurrency=CONCURRENCY,
        livemode=batch.livemode,
        sandbox=targets.sandbox,
        api_key_id=batch.api_key_id,
        started_by_kind=batch.started_by_kind,
        started_by_id=batch.started_by_id,
        started_by_name=batch.started_by_name,
        source_rows=version.row_count,
        total=version.row_count,
        pending=version.row_count,
        expires_at=batch.expires_at,
    )
    record(
        actor=starter(batch),
        action="batch.started",
        target=job,
        organization_id=job.organization_id,
        changes={
            "rows": (None, job.total),
            "endpoint": (None, batch.endpoint),
            "model": (None, targets.only),
        },
    )
    tell("started", job, starter(batch))
    return job


def _refuse(batch: OpenAIBatch, problems: list[Problem]) -> None:
    """End a batch whose file is wrong; one that was cancelled meanwhile stays cancelled."""
    waiting = OpenAIBatch.objects.filter(pk=batch.pk, status=OpenAIBatchStatus.VALIDATING)
    if not problems or not waiting.update(
        status=OpenAIBatchStatus.FAILED,
        errors=[problem.as_json() for problem in problems],
        ended_at=timezone.now(),
    ):
        return
    record(
        actor=SYSTEM,
        action="openai_batch.refused",
        target=batch,
        organization_id=batch.organization_id,
        changes={"status": (OpenAIBatchStatus.VALIDATING, OpenAIBatchStatus.FAILED)},
    )
