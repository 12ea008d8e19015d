"""Streams: opening one, taking rows, closing it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.audit.actor import Actor
from apps.audit.services import record
from apps.batches.models import BatchJob, JobStatus, Source, StopReason
from apps.batches.option_records import options_as_json, options_of
from apps.batches.services.ringing import ring_pump
from apps.batches.services.starting import BatchOptions, create_waiting
from apps.batches.stream_models import Stream
from apps.core.errors import Conflict, InvalidRequest, PermissionDenied
from apps.datasets import services as dataset_services
from apps.datasets.mapping import RowValues
from apps.datasets.models import DatasetVersion
from apps.prompts import queries as prompt_queries
from apps.runs.types import PromptReference
from apps.tenants.models import Project

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
MOST_ROWS: Final = 1_000
"""How many rows one request may bring."""

MOST_ROWS_A_PART: Final = 1_000_000
ENDLESS: Final = timedelta(days=36_500)


@dataclass(frozen=True, slots=True)
class Taken:
    """Rows that a stream has taken: the part that they went to, and their numbers in it."""

    part: BatchJob
    first: int
    last: int


def open_stream(
    *, actor: Actor, project: Project, name: str, prompt: PromptReference, options: BatchOptions
) -> Stream:
    """Make a place that takes rows at any time.

    A label that `prompt` names is followed: rows that come after it moved run its version. The cost cap is a
    day's. Raises InvalidRequest ``name_invalid`` and as `start_batch` does, NotFound for an unknown prompt,
    Conflict ``name_taken``.
    """
    if not NAME.fullmatch(name):
        message = "A stream's name is up to 64 of a-z, 0-9, - and _, and begins with a letter or digit."
        raise InvalidRequest(message, code="name_invalid", param="name")
    told = options_as_json(prompt, replace(options, name=name))
    stream = Stream(
        organization_id=project.organization_id,
        project=project,
        name=name,
        prompt_name=prompt.name,
        options=told,
        livemode=options.livemode,
    )
    try:
        with transaction.atomic():
            stream.save(force_insert=True)
    except IntegrityError:
        message = "The project has a stream of that name. Choose another one."
        raise Conflict(message, code="name_taken", param="name") from None
    # What is wrong with the prompt or the model is said now, not to the first row.
    part = _begin_part(actor, stream)
    record(
        actor=actor,
        action="stream.opened",
        target=stream,
        organization_id=stream.organization_id,
        changes={"prompt": (None, prompt.name), "model": (None, part.model)},
        target_name=stream.name,
    )
    return stream


def push_rows(*, actor: Actor, stream: Stream, rows: Sequence[RowValues], livemode: bool) -> Taken:
    """Take rows; they are kept when this returns, and run as soon as a worker has room.

    Raises InvalidRequest that names the row, Conflict ``stream_closed``, or ``stream_stopped`` where the
    day's cost cap or the month's quota is used up, PermissionDenied ``live_key_needed``.
    """
    if not 1 <= len(rows) <= MOST_ROWS:
        message = f"A request brings 1 to {MOST_ROWS:,} rows."
        raise InvalidRequest(message, code="rows_invalid", param="rows")
    locked = Stream.objects.select_for_update(no_key=True).get(pk=stream.pk)
    if locked.closed_at is not None:
        raise Conflict("This stream is closed; open another one.", code="stream_closed")
    if locked.livemode and not livemode:
        message = "A test key can't write into a stream that calls real models."
        raise PermissionDenied(message, code="live_key_needed")
    part = _present_part(actor, locked)
    version = DatasetVersion.objects.select_for_update(no_key=True).get(pk=part.dataset_version_id)
    first = dataset_services.append_batch_rows(version, rows)
    _count(part, len(rows))
    ring_pump()
    return Taken(part, first, first + len(rows) - 1)


def close_stream(*, actor: Actor, stream: Stream) -> Stream:
    """Take no more rows; those that wait are still run. Closing again changes nothing."""
    locked = Stream.objects.select_for_update(no_key=True).get(pk=stream.pk)
    if locked.closed_at is not None:
        return locked
    locked.closed_at = timezone.now()
    locked.save(update_fields=["closed_at"])
    _let_end(locked)
    record(
        actor=actor,
        action="stream.closed",
        target=locked,
        organization_id=locked.organization_id,
        target_name=locked.name,
    )
    return locked


def _present_part(actor: Actor, stream: Stream) -> BatchJob:
    """The part that takes rows now, locked; a new one on a new day, or when its label has moved."""
    now = timezone.now()
    part = _locked_part(stream)
    if part is None or _is_over(part, now) or _label_moved(stream, part):
        return _begin_part(actor, stream, part)
    if part.status in (JobStatus.IN_PROGRESS, JobStatus.PAUSED):
        return part if part.continuous else _begin_part(actor, stream, part)
    if part.stop_reason in (StopReason.COST_CAP, StopReason.QUOTA):
        why = part.get_stop_reason_display()
        raise Conflict(f"{why}; rows are taken again from midnight UTC on.", code="stream_stopped")
    return _begin_part(actor, stream, part)


def _locked_part(stream: Stream) -> BatchJob | None:
    if stream.part_id is None:
        return None
    return BatchJob.objects.select_for_update(no_key=True).filter(pk=stream.part_id).first()


def _is_over(part: BatchJob, now: datetime) -> bool:
    return part.created_at.date() != now.date() or part.total >= MOST_ROWS_A_PART


def _label_moved(stream: Stream, part: BatchJob) -> bool:
    reference, _ = options_of(stream.options)
    if reference.number is not None:
        return False
    resolved = prompt_queries.resolve(
        project_id=stream.project_id, name=reference.name, label=reference.label, number=None
    )
    return resolved.version_id != part.prompt_version_id


def _begin_part(actor: Actor, stream: Stream, before: BatchJob | None = None) -> BatchJob:
    reference, options = options_of(stream.options)
    now = timezone.now()
    version = dataset_services.create_batch_rows(
        project=stream.project, name=f"{stream.name} {now:%Y-%m-%d %H:%M}", source="stream", actor=actor
    )
    part = create_waiting(
        actor=actor,
        project=stream.project,
        prompt=reference,
        dataset_version=version,
        options=replace(options, name=f"{stream.name}, {now:%Y-%m-%d %H:%M}"),
    )
    _let_end(stream)
    part.status = JobStatus.PAUSED if before and before.status == JobStatus.PAUSED else JobStatus.IN_PROGRESS
    part.pause_reason = before.pause_reason if part.status == JobStatus.PAUSED and before else ""
    part.source, part.continuous, part.stream_id = Source.STREAM, True, stream.pk
    part.expires_at = now + ENDLESS
    part.save()
    stream.part_id = part.pk
    stream.save(update_fields=["part_id"])
    return part


def _let_end(stream: Stream) -> None:
    """Let the part end once its rows are through: the sweeper sees to it."""
    if stream.part_id is not None:
        BatchJob.objects.filter(pk=stream.part_id).update(continuous=False)


_COUNT: Final = """
UPDATE batches_batchjob
SET total = total + %(rows)s * variant_count, pending = pending + %(rows)s * variant_count,
    source_rows = coalesce(source_rows, 0) + %(rows)s
WHERE id = %(job)s AND organization_id = %(organization)s
"""


def _count(part: BatchJob, rows: int) -> None:
    # In the database: a pump counts in the same row while this transaction is open.
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"rows": rows, "job": part.pk, "organization": part.organization_id})
