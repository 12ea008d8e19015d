"""The main job: a prompt over a file of reviews, as a real batch."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from apps.batches.models import BatchItem, BatchJob, ItemStatus
from apps.batches.services import start_batch
from apps.batches.services.starting import BatchOptions
from apps.core.errors import PromptsaasError
from apps.core.scope import organization_scope
from apps.datasets.models import DatasetVersion
from apps.datasets.parsing import GoodRow
from apps.datasets.queries import preview
from apps.datasets.services import import_rows, upload_file
from apps.prompts import queries as prompt_queries
from apps.prompts.types import PRODUCTION, ResolvedPrompt
from apps.runs.types import PromptReference
from promptsaas.demo.columns import ColumnChoice, choose_columns, column_mapping
from promptsaas.demo.options import SAMPLE_COLUMN, SAMPLE_EXPECTED, DemoError, DemoOptions
from promptsaas.demo.seeding import Seeded
from promptsaas.demo.starter_prompts import REVIEW_SENTIMENT

CHUNK_BYTES: Final = 256 * 1024
LOOK_SECONDS: Final = 0.2
MOST_ANSWERS: Final = 12
CONCURRENCY: Final = 32


@dataclass(frozen=True)
class StartedJob:
    """A batch under way, with what was decided on the way to it."""

    job_id: UUID
    columns: ColumnChoice
    prompt: ResolvedPrompt
    model: str
    rows: int
    bad_rows: int


def start_job(seeded: Seeded, options: DemoOptions, model: str) -> StartedJob:
    """Import the file and start the batch on `model` ("": the prompt's own). Raises DemoError."""
    try:
        with organization_scope(seeded.organization.id):
            return _start(seeded, options, model)
    except PromptsaasError as error:
        raise DemoError(error.message) from error


def _start(seeded: Seeded, options: DemoOptions, model: str) -> StartedJob:
    reference = _reference(options.prompt or REVIEW_SENTIMENT)
    prompt = prompt_queries.resolve(
        project_id=seeded.project.id, name=reference.name, label=reference.label, number=reference.number
    )
    version, columns = _import(seeded, options, prompt)
    job = start_batch(
        actor=seeded.actor,
        project=seeded.project,
        prompt=reference,
        dataset_version=version,
        options=BatchOptions(model=model, concurrency=CONCURRENCY),
    )
    return StartedJob(job.id, columns, prompt, job.model, job.total, version.problem_count)


def _reference(text: str) -> PromptReference:
    name, _, label = text.partition("@")
    return PromptReference(name=name, label=label or PRODUCTION)


def _import(
    seeded: Seeded, options: DemoOptions, prompt: ResolvedPrompt
) -> tuple[DatasetVersion, ColumnChoice]:
    path = options.path
    names = [str(variable["name"]) for variable in prompt.variables]
    if not names:
        raise DemoError(f"PROMPT: {prompt.name} has no variable to fill")
    uploaded = upload_file(
        actor=seeded.actor, project=seeded.project, name=path.name, chunks=_chunks(path), variables=names
    )
    seen = preview(uploaded)
    samples = [row.values for row in seen.rows if isinstance(row, GoodRow)]
    columns = choose_columns(
        seen.columns,
        samples,
        variable=names[0],
        column=options.column or (SAMPLE_COLUMN if options.is_sample else ""),
        expected=options.expected or (SAMPLE_EXPECTED if options.is_sample else ""),
    )
    version = import_rows(
        actor=seeded.actor,
        dataset_import=uploaded,
        dataset_name=path.stem,
        mapping=column_mapping(seen.columns, samples, columns, names),
    )
    return version, columns


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def follow(seeded: Seeded, job_id: UUID) -> Iterator[BatchJob]:
    """The job as it stands, several times a second, until it has ended."""
    while True:
        with organization_scope(seeded.organization.id):
            job = BatchJob.objects.get(id=job_id)
        yield job
        if job.is_terminal:
            return
        time.sleep(LOOK_SECONDS)


@dataclass(frozen=True)
class Answers:
    """How often each answer was given, the most frequent first, and why rows failed."""

    field: str
    counts: tuple[tuple[str, int], ...]
    failures: tuple[tuple[str, int], ...]


def count_answers(seeded: Seeded, job: BatchJob) -> Answers:
    """Count the values of the compared field, and the failures by reason."""
    counts: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    with organization_scope(seeded.organization.id):
        rows = BatchItem.objects.filter(batch=job).values_list("status", "parsed", "error_code")
        for status, parsed, error_code in rows.iterator():
            if status == ItemStatus.FAILED:
                failures[error_code or "unknown"] += 1
            elif job.match_field and isinstance(parsed, dict):
                counts[_plain(parsed.get(job.match_field))] += 1
    listed = tuple(counts.most_common()) if len(counts) <= MOST_ANSWERS else ()
    return Answers(job.match_field, listed, tuple(failures.most_common()))


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)
