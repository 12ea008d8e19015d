"""Taking rows for a batch: what a request does, which leaves all that is large to a worker."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.batches.models import BatchJob
from apps.batches.numbering import rows_used
from apps.batches.option_records import options_as_json
from apps.batches.preparation_models import RowPreparation
from apps.batches.row_sources import BatchSource, ImportSource, RowSource, RunsSource
from apps.batches.services.preparing_work import ring, take_at_once
from apps.batches.services.starting import BatchOptions, create_waiting, start_batch
from apps.batches.taking import runs as runs_taking
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.ids import uuid7
from apps.datasets import services as dataset_services
from apps.datasets.limits import SMALL_FILE_BYTES
from apps.datasets.models import Dataset, DatasetImport, ImportState
from apps.runs.types import PromptReference
from apps.tenants.models import Project

MOST_RUNS_AT_ONCE: Final = 500
MOST_ROWS_AT_ONCE: Final = 20_000
"""Taken while the caller waits, in less than a second; more is a worker's."""


def prepare_rows(*, actor: Actor, project: Project, source: RowSource) -> RowPreparation:
    """Take rows into a dataset version of their own, outside of the library.

    A few are there when this returns (`ready`), more are taken by a worker. Raises InvalidRequest that names
    the field, also where nothing was found (``no_rows``), NotFound for what isn't the project's, Conflict for
    a file that is no longer waiting.
    """
    preparation, is_small = _created(actor, project, source)
    if is_small:
        take_at_once(preparation)
    else:
        ring(preparation)
    return preparation


def start_batch_from(
    *,
    actor: Actor,
    project: Project,
    prompt: PromptReference,
    source: RowSource,
    options: BatchOptions | None = None,
) -> BatchJob:
    """Take rows, then start a prompt over them: at once where they are few.

    Otherwise the job that is returned is validating; it starts by itself when its rows are there, or ends as
    failed with the reason in `problem`. Raises as `prepare_rows` and `start_batch` do.
    """
    options = options or BatchOptions()
    preparation, is_small = _created(actor, project, source)
    version = preparation.dataset_version
    if is_small:
        take_at_once(preparation)
        version.refresh_from_db()
        return start_batch(
            actor=actor, project=project, prompt=prompt, dataset_version=version, options=options
        )
    job = create_waiting(
        actor=actor, project=project, prompt=prompt, dataset_version=version, options=options
    )
    # The version that the reference means now, whatever becomes of a label meanwhile.
    fixed = PromptReference(prompt.name, number=job.version_number)
    preparation.batch_id = job.pk
    preparation.options = options_as_json(fixed, replace(options, name=job.name))
    preparation.save(update_fields=["batch_id", "options"])
    ring(preparation)
    return job


def keep_rows(*, actor: Actor, job: BatchJob, name: str) -> Dataset:
    """Take the rows of a batch into the library of datasets.

    Raises Conflict ``batch_running`` for a stream's batch that still takes rows, and as `keep_dataset` does.
    """
    if job.continuous:
        message = "This batch still takes rows. Keep them when its day is over or the stream is closed."
        raise Conflict(message, code="batch_running")
    return dataset_services.keep_dataset(actor=actor, version=job.dataset_version, name=name)


def _created(actor: Actor, project: Project, source: RowSource) -> tuple[RowPreparation, bool]:
    """A preparation that has taken nothing yet, and whether it may while the caller waits."""
    name, expected, is_small, source = _looked_at(project, source)
    version = dataset_services.create_batch_rows(project=project, name=name, source=source.kind, actor=actor)
    preparation = RowPreparation(
        organization_id=project.organization_id,
        project=project,
        source=source.as_json() | {"name": name},
        dataset_version=version,
        expected_rows=expected,
        started_by_kind=actor.kind,
        started_by_id=actor.id,
        started_by_name=actor.display[:254],
        touched_at=timezone.now(),
    )
    preparation.save(force_insert=True)
    audit.record(
        actor=actor,
        action="batch_rows.requested",
        target=preparation,
        organization_id=project.organization_id,
        changes={"source": (None, source.kind)},
        target_name=name,
    )
    return preparation, is_small


def _looked_at(project: Project, source: RowSource) -> tuple[str, int, bool, RowSource]:
    """Its name, about how many rows it gives, whether they are few, and the source with its bounds."""
    if isinstance(source, RunsSource):
        return _runs(project, source)
    if isinstance(source, BatchSource):
        return _batch(project, source)
    return _import(project, source)


def _runs(project: Project, source: RunsSource) -> tuple[str, int, bool, RowSource]:
    source.check()
    fixed = replace(source, before=source.before or uuid7(), seed=source.seed or uuid7().hex)
    few = replace(fixed, limit=min(fixed.limit, MOST_RUNS_AT_ONCE + 1), order="newest")
    found = len(runs_taking.chosen_runs(project.pk, few))
    if not found:
        raise InvalidRequest("No run is like that.", code="no_rows", param="runs")
    is_small = min(found, fixed.limit) <= MOST_RUNS_AT_ONCE
    return "Earlier runs", found if is_small else fixed.limit, is_small, fixed


def _batch(project: Project, source: BatchSource) -> tuple[str, int, bool, RowSource]:
    source.check()
    job = _job(project, source.batch_id)
    if job.dataset_version.rows_deleted_at is not None:
        raise Conflict("Retention has deleted the rows of this batch.", code="dataset_rows_deleted")
    rows = rows_used(job)
    return f"Rows of {job.name}", rows, rows <= MOST_ROWS_AT_ONCE, source


def _import(project: Project, source: ImportSource) -> tuple[str, int, bool, RowSource]:
    found = DatasetImport.objects.filter(project=project, pk=source.dataset_import_id).first()
    if found is None:
        raise NotFound("There is no such import.", code="dataset_import_not_found")
    if found.is_imported or found.state not in (ImportState.WAITING, ImportState.READING):
        raise Conflict("This file has been imported already.", code="already_imported")
    is_small = found.state == ImportState.WAITING and found.size <= SMALL_FILE_BYTES
    return found.file_name, int(found.facts.get("rows", 0)), is_small, source


def _job(project: Project, job_id: UUID) -> BatchJob:
    job = BatchJob.objects.select_related("dataset_version").filter(project=project, pk=job_id).first()
    if job is None:
        raise NotFound("There is no such batch.", code="batch_not_found")
    return job
