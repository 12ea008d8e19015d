"""A worker's part of taking rows for a batch: pieces that survive a kill, then the start of the batch."""

import time
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from apps.audit.actor import SYSTEM, Actor
from apps.batches.models import BatchJob, JobStatus
from apps.batches.option_records import options_of
from apps.batches.preparation_models import PreparationState, RowPreparation
from apps.batches.row_sources import BatchSource, ImportSource, RunsSource, source_of
from apps.batches.services.starting import start_batch
from apps.batches.services.telling import tell
from apps.batches.taking import batches as batch_taking
from apps.batches.taking import runs as runs_taking
from apps.batches.taking.pieces import Piece
from apps.core import queue
from apps.core.errors import Conflict, InvalidRequest, NotFound, PromptsaasError
from apps.core.logs import get_logger
from apps.core.scope import organization_scope, system_scope
from apps.datasets import queries as dataset_queries
from apps.datasets import services as dataset_services
from apps.datasets.mapping import ColumnMapping
from apps.datasets.models import DatasetImport, DatasetVersion, ImportState
from apps.datasets.values import columns_mapping

JOB: Final = "apps.batches.jobs.prepare_rows"
JOB_SECONDS: Final = 600
SILENCE: Final = timedelta(seconds=30)
"""Whoever was silent for that long is gone, or waits."""

OTHERS: Final = timedelta(seconds=10)
LOOK_SECONDS: Final = 1.0
AT_ONCE: Final = 100
MOST_FAILURES: Final = 5

logger = get_logger(__name__)


def ring(preparation: RowPreparation) -> None:
    """Ring a worker once the transaction commits."""
    queue.enqueue(JOB, str(preparation.pk), queue="bulk", timeout=JOB_SECONDS)


def take_at_once(preparation: RowPreparation) -> None:
    """Take all rows in the open scope. Raises InvalidRequest, Conflict, NotFound."""
    source = source_of(preparation.source)
    if isinstance(source, ImportSource):
        found = DatasetImport.objects.get(pk=source.dataset_import_id)
        _start_import(preparation, source, found)
        _end_with_import(preparation, found)
        return
    chosen = runs_taking.chosen_runs(preparation.project_id, source) if isinstance(source, RunsSource) else []
    while _take_piece(preparation, source, chosen):
        pass
    _finish(preparation)


def work_off(preparation_id: UUID, seconds: float) -> bool:
    """Work on a preparation for about so many seconds; whether there is more to do.

    What can't be taken, and a batch that can't be started over it, ends as failed with the reason. After five
    attempts in a row that broke off for another reason it has failed too.
    """
    found = _find(preparation_id)
    if found is None:
        return False
    until = time.monotonic() + seconds
    try:
        source = source_of(found.source)
        if isinstance(source, ImportSource):
            return _follow_import(found, source, seconds)
        return _take_rows(found, source, until)
    except (Conflict, InvalidRequest, NotFound) as error:
        _fail(found, error)
    except Exception:
        logger.exception("batch_rows.piece_failed", extra={"preparation": found.public_id})
        _count_failure(found)
    return False


def sweep_preparations() -> int:
    """Ring for preparations that nobody works on; returns how many there were."""
    with system_scope():
        waiting = RowPreparation.all_organizations.filter(
            state=PreparationState.PREPARING, touched_at__lt=timezone.now() - SILENCE
        ).order_by("touched_at")[:AT_ONCE]
        silent = list(waiting)
        for each in silent:
            ring(each)
    return len(silent)


def _find(preparation_id: UUID) -> RowPreparation | None:
    with system_scope():
        rows = RowPreparation.all_organizations.filter(pk=preparation_id, state=PreparationState.PREPARING)
        return rows.select_related("project").first()


def _take_rows(found: RowPreparation, source: RunsSource | BatchSource, until: float) -> bool:
    chosen: list[UUID] = []
    if isinstance(source, RunsSource):
        with organization_scope(found.organization_id):
            chosen = runs_taking.chosen_runs(found.project_id, source)
    more = True
    while more:
        with organization_scope(found.organization_id):
            held = _held(found)
            if held is None or held.place != found.place:
                return False
            more = _take_piece(held, source, chosen)
            if not more:
                _finish(held)
                _begin(held)
        found.place = held.place
        if more and time.monotonic() > until:
            return True
    return False


def _take_piece(preparation: RowPreparation, source: RunsSource | BatchSource, chosen: list[UUID]) -> bool:
    """Write the next rows and say how far that is; whether there are more."""
    version = DatasetVersion.objects.get(pk=preparation.dataset_version_id)
    place, rows = preparation.place, preparation.rows
    if isinstance(source, RunsSource):
        piece: Piece = runs_taking.take_piece(version, source, chosen, place, rows)
    else:
        other = BatchJob.objects.select_related("dataset_version").filter(pk=source.batch_id).first()
        if other is None:
            raise NotFound("There is no such batch.", code="batch_not_found")
        if not preparation.place:
            version.columns = other.dataset_version.columns
            version.layout = other.dataset_version.layout | version.layout | _format(other.dataset_version)
            version.save(update_fields=["columns", "layout"])
        piece = batch_taking.take_piece(version, other, source, place, rows)
    preparation.rows += piece.written
    preparation.left_out += piece.left_out
    preparation.place = piece.place or preparation.place
    preparation.touched_at, preparation.failures = timezone.now(), 0
    preparation.save(update_fields=["rows", "left_out", "place", "touched_at", "failures"])
    return piece.place is not None


def _format(version: DatasetVersion) -> dict[str, Any]:
    """How the values of the rows came in, which copies keep."""
    return {"format": version.layout.get("format", "jsonl")}


def _finish(preparation: RowPreparation) -> None:
    if not preparation.rows:
        left_out = preparation.left_out
        why = f" The content of {left_out:,} is not kept." if left_out else ""
        raise InvalidRequest(f"There is no row to take.{why}", code="no_rows", param=preparation.kind)
    version = DatasetVersion.objects.get(pk=preparation.dataset_version_id)
    columns: tuple[ColumnMapping, ...] = columns_mapping(version.columns)
    dataset_services.finish_batch_rows(version, columns, preparation.rows)
    _set_ready(preparation)


def _set_ready(preparation: RowPreparation) -> None:
    preparation.state = PreparationState.READY
    preparation.started_by_id, preparation.started_by_name = None, ""
    preparation.save(update_fields=["state", "rows", "left_out", "started_by_id", "started_by_name"])


def _begin(preparation: RowPreparation) -> None:
    """Start the batch that waits for these rows, if one does and was not stopped meanwhile."""
    job = _waiting_job(preparation)
    if job is None:
        return
    prompt, options = options_of(preparation.options)
    version = DatasetVersion.objects.select_related("dataset").get(pk=preparation.dataset_version_id)
    start_batch(
        actor=_actor(job),
        project=preparation.project,
        prompt=prompt,
        dataset_version=version,
        options=options,
        waiting=job,
    )


def _waiting_job(preparation: RowPreparation) -> BatchJob | None:
    """The job that waits for these rows, locked."""
    if preparation.batch_id is None:
        return None
    jobs = BatchJob.objects.select_for_update(no_key=True)
    return jobs.filter(pk=preparation.batch_id, status=JobStatus.VALIDATING).first()


def _follow_import(found: RowPreparation, source: ImportSource, seconds: float) -> bool:
    """Read and import the file that holds the rows, then begin."""
    until, is_ours = time.monotonic() + seconds, False
    while time.monotonic() < until:
        with organization_scope(found.organization_id):
            held = _held(found)
            if held is None:
                return False
            held.touched_at = timezone.now()
            held.save(update_fields=["touched_at"])
            upload = DatasetImport.objects.select_related("project").filter(pk=source.dataset_import_id)
            waiting = upload.first()
            if waiting is None:
                raise NotFound("The uploaded file is gone. Upload it again.", code="file_expired")
            if waiting.state == ImportState.WAITING:
                _start_import(held, source, waiting)
                is_ours = True
            if waiting.is_imported or waiting.state == ImportState.FAILED:
                _end_with_import(held, waiting)
                _begin(held)
                return False
            recently = waiting.touched_at and waiting.touched_at > timezone.now() - OTHERS
        if recently and not is_ours:
            # Another worker reads or writes it.
            time.sleep(LOOK_SECONDS)
        else:
            dataset_services.work_off(waiting.pk, until - time.monotonic())
    return True


def _start_import(preparation: RowPreparation, source: ImportSource, waiting: DatasetImport) -> None:
    mapping = columns_mapping(source.mapping) if source.mapping else dataset_queries.import_mapping(waiting)
    dataset_services.start_import(
        actor=_actor(preparation),
        dataset_import=waiting,
        mapping=mapping,
        into=DatasetVersion.objects.select_related("dataset").get(pk=preparation.dataset_version_id),
    )


def _end_with_import(preparation: RowPreparation, upload: DatasetImport) -> None:
    if upload.state == ImportState.FAILED:
        raise InvalidRequest(upload.error_message, code=upload.error_code, param="file")
    version = DatasetVersion.objects.get(pk=preparation.dataset_version_id)
    preparation.rows, preparation.left_out = version.row_count, version.problem_count
    if not version.row_count:
        raise InvalidRequest("The file has no rows.", code="no_rows", param="file")
    _set_ready(preparation)


def _held(found: RowPreparation) -> RowPreparation | None:
    """The preparation, locked, unless it has ended."""
    rows = RowPreparation.objects.select_for_update(of=("self",)).select_related("project")
    return rows.filter(pk=found.pk, state=PreparationState.PREPARING).first()


def _actor(who: BatchJob | RowPreparation) -> Actor:
    kind = who.started_by_kind
    if kind not in ("user", "api_key", "staff"):
        return SYSTEM
    return Actor(kind=kind, id=who.started_by_id, role="batch", display=who.started_by_name)  # type: ignore[arg-type]


def _count_failure(found: RowPreparation) -> None:
    with organization_scope(found.organization_id):
        rows = RowPreparation.objects.filter(pk=found.pk)
        rows.update(failures=F("failures") + 1)
        failures = rows.values_list("failures", flat=True).first() or 0
    if failures >= MOST_FAILURES:
        message = f"Taking the rows broke off {MOST_FAILURES} times and was given up. Start the batch again."
        _fail(found, InvalidRequest(message, code="rows_not_taken"))


def _fail(found: RowPreparation, error: PromptsaasError) -> None:
    problem = {"code": error.code, "message": error.message[:500], "param": error.param or ""}
    with organization_scope(found.organization_id):
        held = _held(found)
        if held is None:
            return
        held.state, held.problem = PreparationState.FAILED, problem
        held.started_by_id, held.started_by_name = None, ""
        held.save(update_fields=["state", "problem", "started_by_id", "started_by_name"])
        job = _waiting_job(held)
        if job is not None:
            job.status, job.problem, job.completed_at = JobStatus.FAILED, problem, timezone.now()
            job.save(update_fields=["status", "problem", "completed_at"])
            tell("failed", job, SYSTEM)
