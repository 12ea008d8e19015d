"""Reads of OpenAI's files and batches. Call inside the organization's scope."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet, Sum
from django.utils import timezone

from apps.batches.models import BatchJob
from apps.batches.openai_models import OpenAIBatch, OpenAIBatchStatus, OpenAIFile
from apps.core import ids
from apps.core.errors import InvalidRequest, NotFound
from apps.tenants.models import Project

OPEN: Final = (OpenAIBatchStatus.VALIDATING, OpenAIBatchStatus.IN_PROGRESS)

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Which page of a list: at most `limit` rows behind the row `after`, newest first unless `ascending`."""

    limit: int
    after: UUID | None = None
    ascending: bool = False


def list_files(project: Project, *, purpose: str = "") -> QuerySet[OpenAIFile]:
    """A project's files that have not expired."""
    found = OpenAIFile.objects.filter(project=project, expires_at__gt=timezone.now())
    return found.filter(purpose=purpose) if purpose else found


def get_file(project: Project, public_id: str, *, param: str | None = None) -> OpenAIFile:
    """One file. Raises NotFound."""
    file_id = file_id_of(public_id)
    found = list_files(project).filter(pk=file_id).first() if file_id else None
    if found is None:
        raise NotFound(f"No such file: {public_id[:64]}", code="file_not_found", param=param)
    return found


def stored_bytes(project: Project) -> int:
    """How many bytes a project's files hold."""
    return int(list_files(project).aggregate(total=Sum("size"))["total"] or 0)


def is_in_use(file: OpenAIFile) -> bool:
    """Whether a batch that has not ended reads the file or is about to."""
    return OpenAIBatch.objects.filter(
        project_id=file.project_id, input_file_id=file.pk, status__in=OPEN
    ).exists()


def list_batches(project: Project) -> QuerySet[OpenAIBatch]:
    """A project's batches that were asked for over a file."""
    return OpenAIBatch.objects.filter(project=project)


def get_batch(project: Project, public_id: str) -> OpenAIBatch:
    """One batch, by its id or by its job's, which differ only in their prefix. Raises NotFound."""
    batch_id = batch_id_of(public_id)
    found = list_batches(project).filter(pk=batch_id).first() if batch_id else None
    if found is None:
        raise NotFound(f"No such batch: {public_id[:64]}", code="batch_not_found")
    return found


def jobs_of(batches: Iterable[OpenAIBatch]) -> dict[UUID, BatchJob]:
    """The jobs that batches have by now; one query."""
    return BatchJob.objects.in_bulk([batch.pk for batch in batches])


def page(rows: QuerySet[Row], cursor: Cursor) -> tuple[list[Row], bool]:
    """A page of a list, and whether more comes behind it."""
    if cursor.after is not None:
        rows = rows.filter(**{"pk__gt" if cursor.ascending else "pk__lt": cursor.after})
    found = list(rows.order_by("pk" if cursor.ascending else "-pk")[: cursor.limit + 1])
    return found[: cursor.limit], len(found) > cursor.limit


def file_id_of(public_id: str) -> UUID | None:
    """The UUID behind `file-…`; None for anything else."""
    head, separator, body = public_id.partition("-")
    return ids.decode_or_none(OpenAIFile.PREFIX, f"{head}_{body}") if separator else None


def batch_id_of(public_id: str) -> UUID | None:
    """The UUID behind `batch_…`, or `bat_…` as our own API and pages name its job; None for anything else."""
    return ids.decode_or_none(OpenAIBatch.PREFIX, public_id) or ids.decode_or_none(BatchJob.PREFIX, public_id)


def after_of(text: str | None, found: UUID | None) -> UUID | None:
    """The cursor of a list. Raises InvalidRequest for a text that is no id."""
    if text is not None and found is None:
        raise InvalidRequest("after is not the id of an object in this list.", param="after")
    return found
