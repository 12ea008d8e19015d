"""Reads of streams. Call inside the organization's scope."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from apps.batches.models import BatchItem, BatchJob
from apps.batches.results.pages import ResultRow, with_source
from apps.batches.stream_models import Stream
from apps.core import ids
from apps.core.errors import InvalidRequest, NotFound
from apps.tenants.models import Project

MOST_ANSWERS: Final = 100


@dataclass(frozen=True, slots=True)
class Place:
    """Behind the how many-th answer of which part a reader stands."""

    part_id: UUID
    number: int

    @property
    def cursor(self) -> str:
        """As readers keep it."""
        return f"{ids.encode(BatchJob.PREFIX, self.part_id)}.{self.number}"


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers in their order. `cursor` is where to go on, "" before the first part."""

    rows: list[ResultRow]
    cursor: str
    has_more: bool


def list_streams(project: Project, *, state: str = "", search: str = "") -> QuerySet[Stream]:
    """A project's streams, unordered; `state` is "open" or "closed"."""
    found = Stream.objects.filter(project=project)
    if state:
        found = found.filter(closed_at__isnull=state == "open")
    return found.filter(name__icontains=search) if search else found


def get_stream(project: Project, name: str) -> Stream:
    """A stream by its name, or its id. Raises NotFound."""
    key = ids.decode_or_none(Stream.PREFIX, name)
    found = list_streams(project).select_related("project")
    stream = (found.filter(pk=key) if key else found.filter(name=name)).first()
    if stream is None:
        raise NotFound("There is no such stream.", code="stream_not_found")
    return stream


def parts_of(stream: Stream) -> QuerySet[BatchJob]:
    """A stream's batches, the oldest first."""
    return BatchJob.objects.filter(stream_id=stream.pk).order_by("id")


def present_part(stream: Stream) -> BatchJob | None:
    """The part that takes rows."""
    return None if stream.part_id is None else BatchJob.objects.filter(pk=stream.part_id).first()


def answers_after(stream: Stream, cursor: str, *, limit: int = MOST_ANSWERS) -> Answers:
    """Answers behind a reader's place, from the first on without one; never one twice, none left out.

    A part's answers are all read before the next part's. Raises InvalidRequest ``cursor_invalid``.
    """
    place = _place(stream, cursor)
    while place is not None:
        part = BatchJob.objects.select_related("dataset_version").get(pk=place.part_id)
        found = BatchItem.objects.filter(batch=part, answer_number__gt=place.number)
        items = list(found.order_by("answer_number")[: limit + 1])
        if items:
            for item in items:
                item.batch = part
            rows = with_source(part, items[:limit])
            reached = Place(part.pk, rows[-1].item.answer_number or place.number)
            return Answers(rows, reached.cursor, has_more=len(items) > limit)
        following = _next_part(stream, part)
        if following is None:
            return Answers([], place.cursor, has_more=False)
        place = Place(following, 0)
    return Answers([], "", has_more=False)


def _place(stream: Stream, cursor: str) -> Place | None:
    if not cursor:
        first = parts_of(stream).values_list("pk", flat=True).first()
        return None if first is None else Place(first, 0)
    part, _, number = cursor.rpartition(".")
    key = ids.decode_or_none(BatchJob.PREFIX, part)
    known = key is not None and parts_of(stream).filter(pk=key).exists()
    if key is None or not known or not number.isascii() or not number.isdigit() or len(number) > 10:
        message = "The cursor is none that this stream has given."
        raise InvalidRequest(message, code="cursor_invalid", param="after")
    return Place(key, int(number))


def _next_part(stream: Stream, part: BatchJob) -> UUID | None:
    """The part after one that has ended; while it has not, its readers wait."""
    if not part.is_terminal:
        return None
    return parts_of(stream).filter(pk__gt=part.pk).values_list("pk", flat=True).first()
