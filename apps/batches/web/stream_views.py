"""Pages of streams: list, new, one stream with its newest answers, its end."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect

from apps.batches import stream_queries
from apps.batches.models import BatchJob, JobStatus
from apps.batches.option_records import options_of
from apps.batches.results import pages
from apps.batches.services import streams
from apps.batches.stream_models import Stream
from apps.batches.web import presenting
from apps.batches.web.forms import choices_of
from apps.batches.web.stream_forms import StreamForm
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.tables import Column, Filter, Table, register
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

PARTS_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A stream with the part that takes rows now."""

    stream: Stream
    part: BatchJob | None

    @property
    def state(self) -> str:
        """Whether rows are taken and run."""
        if self.stream.closed_at is not None:
            return "closed"
        if self.part is None or self.part.status == JobStatus.IN_PROGRESS:
            return "open"
        return self.part.status

    @property
    def waiting(self) -> int:
        """Rows that were not run yet."""
        return self.part.pending if self.part else 0

    @property
    def answered(self) -> int:
        """Rows of today that ended."""
        return self.part.answered if self.part else 0


def _rows(found: list[Stream]) -> list[StreamRow]:
    parts = BatchJob.objects.in_bulk([stream.part_id for stream in found if stream.part_id])
    return [StreamRow(stream, parts.get(stream.part_id) if stream.part_id else None) for stream in found]


STREAMS: Final = register(
    Table[Stream, StreamRow](
        key="streams",
        prefix=Stream.PREFIX,
        noun=("stream", "streams"),
        search="Search streams",
        default_sort="-opened",
        prepare=_rows,
        filters=(Filter("state", "State", [("open", "Open"), ("closed", "Closed")]),),
        columns=(
            Column("id", "Id", lambda row: row.stream.public_id, export_only=True),
            Column("name", "Name", lambda row: row.stream.name, sort="name", always=True),
            Column("state", "State", lambda row: row.state),
            Column("prompt", "Prompt", lambda row: row.stream.prompt_name, sort="prompt_name"),
            Column("waiting", "Waiting", lambda row: row.waiting, numeric=True),
            Column("answered", "Answered today", lambda row: row.answered, numeric=True),
            Column("opened", "Opened", lambda row: row.stream.created_at, sort="id", downwards=True),
        ),
    )
)


class StreamListView(ProjectView):
    """The project's streams."""

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponseBase:
        asked = STREAMS.read(request.GET)
        found = stream_queries.list_streams(self.project, state=asked.filters["state"], search=asked.search)
        context = {"can_run": self.access.can(Permission.BATCHES_RUN)}
        return self.list_page(STREAMS, asked, found, "batches/streams.html", context)


class NewStreamView(ProjectView):
    """Open a stream."""

    permissions: ClassVar = {"GET": Permission.BATCHES_RUN, "POST": Permission.BATCHES_RUN}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        return self._page(StreamForm(choices=choices_of(self.project)))

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        form = StreamForm(request.POST, choices=choices_of(self.project))
        if form.is_valid():
            try:
                stream = streams.open_stream(
                    actor=self.access.actor,
                    project=self.project,
                    name=form.cleaned_data["name"],
                    prompt=form.reference(),
                    options=form.options(),
                )
            except (InvalidRequest, NotFound, Conflict) as problem:
                form.add_problem(problem)
            else:
                messages.info(request, "The stream is open.")
                return redirect(self.address("batches:stream", stream.name))
        return self._page(form, status=422)

    def _page(self, form: StreamForm, status: int = 200) -> HttpResponse:
        context = {"form": form, "offered": bool(form.fields["prompt"].choices)}  # type: ignore[attr-defined]
        return self.render("batches/stream_new.html", context, status=status)


class StreamView(ProjectView):
    """One stream: how it stands, how to use it, its newest answers and its parts."""

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW}

    def get(self, request: HttpRequest, stream: str, **kwargs: str) -> HttpResponse:
        return self.render("batches/stream.html", stream_context(self, stream))


class CloseStreamView(ProjectView):
    """Ask, then close a stream."""

    permissions: ClassVar = {"GET": Permission.BATCHES_RUN, "POST": Permission.BATCHES_RUN}

    def get(self, request: HttpRequest, stream: str, **kwargs: str) -> HttpResponse:
        return self.render("batches/stream.html", stream_context(self, stream) | {"dialog": "close"})

    def post(self, request: HttpRequest, stream: str, **kwargs: str) -> HttpResponseRedirect:
        found = stream_queries.get_stream(self.project, stream)
        streams.close_stream(actor=self.access.actor, stream=found)
        messages.info(request, "The stream is closed. Rows that wait are still run.")
        return redirect(self.address("batches:stream", found.name))


def stream_context(view: ProjectView, name: str) -> dict[str, Any]:
    """What the page of a stream shows."""
    stream = stream_queries.get_stream(view.project, name)
    part = stream_queries.present_part(stream)
    reference, options = options_of(stream.options)
    address = f"{settings.PUBLIC_URL}/api/v1/streams/{stream.name}"
    newest = stream_queries.parts_of(stream).order_by("-id")[:PARTS_SHOWN]
    return {
        "stream": stream,
        "reference": reference,
        "options": options,
        "row": StreamRow(stream, part),
        "part": part,
        "cost_status": part and presenting.cost_status(part),
        "latest": pages.latest_results(part) if part else [],
        "parts": [(each, presenting.cost_status(each)) for each in newest],
        "examples": _examples(address),
        "can_run": view.access.can(Permission.BATCHES_RUN),
    }


def _examples(address: str) -> list[tuple[str, str, str]]:
    key = '  -H "Authorization: Bearer $PROMPTSAAS_API_KEY"'
    row = '{"id": "order-17", "variables": {"text": "…"}}'
    push = f"curl {address} \\\n{key} \\\n  -H \"Content-Type: application/json\" \\\n  -d '{row}'"
    read = f'curl "{address}/results?limit=100" \\\n{key}'
    return [
        ("push", "Push a row", push),
        ("read", "Read answers, and go on behind next_cursor", read),
        ("listen", "Listen to answers as they come", f"curl -N {address}/events \\\n{key}"),
    ]
