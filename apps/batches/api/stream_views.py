"""Streams by API: open, push rows, read answers page by page or as events, close."""

from collections.abc import Mapping
from typing import IO, Any, ClassVar, Final

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.batches import stream_queries
from apps.batches.api import stream_shapes as shapes
from apps.batches.event_feed import Feed
from apps.batches.services import streams
from apps.core import api
from apps.core.errors import InvalidRequest
from apps.core.json_bodies import BODY_LIMIT, parse_json
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.runs.types import PromptReference
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission

TAGS: Final = ["Streams"]
AFTER: Final = OpenApiParameter("after", str, description="The cursor of the last answer that was read.")
LIMIT: Final = OpenApiParameter("limit", int, description="1 to 100, 20 by default.")


class LinesParser(BaseParser):
    """Reads a bounded body of JSON lines as a list of rows."""

    media_type = "application/x-ndjson"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """``{"rows": [...]}``. Raises InvalidRequest that names the line."""
        raw: bytes = stream.read(BODY_LIMIT + 1)
        if len(raw) > BODY_LIMIT:
            raise InvalidRequest(f"The body is larger than {BODY_LIMIT:,} bytes.", code="body_too_large")
        return {"rows": [_line(number, line) for number, line in _lines(raw)]}


class StreamListAPI(ProjectAPIView):
    """The streams of the project."""

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW, "POST": Permission.BATCHES_RUN}

    @extend_schema(
        operation_id="list_streams",
        tags=TAGS,
        parameters=CURSOR_PARAMETERS,
        responses=list_of(shapes.StreamSerializer),
    )
    def get(self, request: Request) -> Response:
        """List the project's streams, newest first."""
        return Response(api.page(stream_queries.list_streams(self.project), request, shapes.stream_json))

    @extend_schema(
        operation_id="open_stream",
        tags=TAGS,
        request=shapes.OpenStreamSerializer,
        responses={201: shapes.StreamSerializer},
    )
    def post(self, request: Request) -> Response:
        """Open a stream: a named place that takes rows at any time and runs a prompt over them."""
        values = api.validated(shapes.OpenStreamSerializer(data=request.data))
        stream = streams.open_stream(
            actor=self.access.actor,
            project=self.project,
            name=values["name"],
            prompt=PromptReference(values["prompt"], label=values.get("label"), number=values.get("version")),
            options=shapes.options_from(values, livemode=self.access.livemode),
        )
        return Response(shapes.stream_json(stream), status=201)


class StreamAPI(ProjectAPIView):
    """One stream, and where its rows go in."""

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW, "POST": Permission.BATCHES_RUN}
    parser_classes = (api.JSONParser, LinesParser)

    @extend_schema(operation_id="get_stream", tags=TAGS, responses=shapes.StreamSerializer)
    def get(self, request: Request, stream: str) -> Response:
        """Get a stream."""
        return Response(shapes.stream_json(stream_queries.get_stream(self.project, stream)))

    @extend_schema(
        operation_id="push_rows",
        tags=TAGS,
        request={"application/json": shapes.PushSerializer, "application/x-ndjson": OpenApiTypes.STR},
        responses={202: shapes.TakenSerializer},
    )
    def post(self, request: Request, stream: str) -> Response:
        """Push rows. They are kept when this is answered, and run as soon as there is room."""
        found = stream_queries.get_stream(self.project, stream)
        taken = streams.push_rows(
            actor=self.access.actor, stream=found, rows=_rows(request), livemode=self.access.livemode
        )
        return Response(shapes.taken_json(found, taken), status=202)


class CloseStreamAPI(ProjectAPIView):
    """The end of a stream."""

    permissions: ClassVar = {"POST": Permission.BATCHES_RUN}

    @extend_schema(operation_id="close_stream", tags=TAGS, request=None, responses=shapes.StreamSerializer)
    def post(self, request: Request, stream: str) -> Response:
        """Close a stream: it takes no more rows, those that wait are still run."""
        found = stream_queries.get_stream(self.project, stream)
        return Response(shapes.stream_json(streams.close_stream(actor=self.access.actor, stream=found)))


class StreamResultsAPI(ProjectAPIView):
    """A stream's answers, page by page."""

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW}

    @extend_schema(
        operation_id="list_stream_results",
        tags=TAGS,
        parameters=[AFTER, LIMIT],
        responses=shapes.AnswersSerializer,
    )
    def get(self, request: Request, stream: str) -> Response:
        """Read answers in their order. None is left out and none comes twice when one goes on behind
        `next_cursor`."""
        found = stream_queries.get_stream(self.project, stream)
        answers = stream_queries.answers_after(
            found, request.query_params.get("after", ""), limit=api.asked_limit(request)
        )
        body = {
            "object": "list",
            "data": shapes.answers_json(answers),
            "has_more": answers.has_more,
            "next_cursor": answers.cursor or None,
            "url": request.path,
        }
        return Response(body)


class StreamEventsAPI(ProjectAPIView):
    """A stream's answers as they come."""

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW}

    @extend_schema(
        operation_id="listen_to_stream",
        tags=TAGS,
        parameters=[
            AFTER,
            OpenApiParameter("Last-Event-ID", str, OpenApiParameter.HEADER, description="As `after`."),
        ],
        responses={(200, "text/event-stream"): OpenApiResponse(OpenApiTypes.STR)},
    )
    def get(self, request: Request, stream: str) -> StreamingHttpResponse:
        """Listen to answers as server-sent events named `result`. The connection ends after 50 seconds; a
        client of the format comes back by itself behind the last event."""
        found = stream_queries.get_stream(self.project, stream)
        cursor = request.headers.get("Last-Event-ID") or request.query_params.get("after", "")
        # A cursor that makes no sense is refused now, with a status.
        stream_queries.answers_after(found, cursor, limit=1)
        response = StreamingHttpResponse(
            Feed(found, cursor, shapes.answers_json), content_type="text/event-stream"
        )
        response["Cache-Control"] = "no-store"
        response["X-Accel-Buffering"] = "no"
        return response


def _rows(request: Request) -> Any:
    data = request.data
    if isinstance(data, dict) and isinstance(data.get("rows"), list) and len(data) == 1:
        return shapes.rows_from(data["rows"])
    return [shapes.row_of(api.validated(shapes.PushSerializer(data=data)))]


def _lines(raw: bytes) -> list[tuple[int, bytes]]:
    return [(number, line) for number, line in enumerate(raw.split(b"\n"), 1) if line.strip()]


def _line(number: int, line: bytes) -> Any:
    try:
        return parse_json(line)
    except InvalidRequest as problem:
        message = f"Line {number}: {problem.message}"
        raise InvalidRequest(message, code=problem.code, param=f"rows.{number - 1}") from None
