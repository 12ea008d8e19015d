"""`/v1/files` as OpenAI's clients call it."""

from collections.abc import Iterable
from typing import Any, Final

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.batches.api import openai_shapes as shapes
from apps.batches.api.openai_uploads import bound_upload
from apps.batches.openai import queries
from apps.batches.openai_models import FilePurpose
from apps.batches.services.openai_files import LARGEST_FILE, NewFile, create_file, delete_file
from apps.core import files, ids
from apps.core.errors import InvalidRequest, NotFound
from apps.core.models import StoredFile
from apps.core.numbers import whole_number
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission

TAGS: Final = ["OpenAI batches"]
MOST_FILES: Final = 10_000
UPLOAD: Final[dict[str, Any]] = {
    "multipart/form-data": {
        "type": "object",
        "required": ["file", "purpose"],
        "properties": {
            "file": {"type": "string", "format": "binary", "minLength": 1},
            "purpose": {"enum": [FilePurpose.BATCH.value]},
            "expires_after[anchor]": {"enum": ["created_at"]},
            "expires_after[seconds]": {
                "type": "integer",
                "minimum": shapes.LEAST_SECONDS,
                "maximum": shapes.MOST_SECONDS,
            },
        },
        "dependentRequired": {
            "expires_after[anchor]": ["expires_after[seconds]"],
            "expires_after[seconds]": ["expires_after[anchor]"],
        },
    }
}


def after_parameter(prefix: str) -> OpenApiParameter:
    """The cursor of a list whose ids begin so."""
    pattern = f"^{prefix}[0-7][{ids.ALPHABET}]{{{ids.LENGTH - 1}}}$"
    return OpenApiParameter(
        "after", {"type": "string", "pattern": pattern}, description="The id after which the page begins."
    )


ORDER: Final = OpenApiParameter("order", {"type": "string", "enum": ["asc", "desc"], "default": "desc"})


class OpenAIFileListAPI(ProjectAPIView):
    """The files of the project."""

    permissions = {"GET": Permission.BATCHES_VIEW, "POST": Permission.BATCHES_RUN}
    parser_classes = [MultiPartParser, FormParser]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Decide who asks; then take the whole form, which may come slowly, before a transaction is open."""
        bound_upload(request._request, LARGEST_FILE)
        super().initial(request, *args, **kwargs)
        if request.method == "POST":
            # Parsed at its first use.
            _ = request.data

    @extend_schema(
        operation_id="list_openai_files",
        tags=TAGS,
        parameters=[
            after_parameter("file-"),
            OpenApiParameter(
                "limit", {"type": "integer", "minimum": 1, "maximum": MOST_FILES, "default": MOST_FILES}
            ),
            ORDER,
            OpenApiParameter("purpose", str, enum=FilePurpose.values),
        ],
        responses=shapes.OpenAIFileListSerializer,
    )
    def get(self, request: Request) -> Response:
        """List files, newest first."""
        after = request.query_params.get("after")
        cursor = queries.Cursor(
            limit=asked_limit(request, MOST_FILES, MOST_FILES),
            after=queries.after_of(after, queries.file_id_of(after or "")),
            ascending=_choice(request, "order", ("asc", "desc"), "desc") == "asc",
        )
        purpose = _choice(request, "purpose", FilePurpose.values, "")
        rows, has_more = queries.page(queries.list_files(self.project, purpose=purpose), cursor)
        return Response(shapes.list_json([shapes.file_json(row) for row in rows], has_more=has_more))

    @extend_schema(
        operation_id="create_openai_file",
        tags=TAGS,
        request=UPLOAD,
        responses=shapes.OpenAIFileSerializer,
    )
    def post(self, request: Request) -> Response:
        """Upload a JSONL file of up to 200 MB and 50,000 requests, for `POST /v1/batches`."""
        uploaded = request.FILES.get("file")
        if uploaded is None:
            raise InvalidRequest(
                "Send the file as the form field 'file'.", code="parameter_missing", param="file"
            )
        if request._request.POST.get("purpose") != FilePurpose.BATCH:
            raise InvalidRequest("The purpose of an uploaded file is 'batch'.", param="purpose")
        file = create_file(
            actor=self.access.actor,
            project=self.project,
            new=NewFile(
                name=uploaded.name or "file",
                purpose=FilePurpose.BATCH,
                chunks=uploaded.chunks(files.CHUNK_BYTES),
                seconds=_expires_after(request),
            ),
        )
        return Response(shapes.file_json(file))


class OpenAIFileAPI(ProjectAPIView):
    """One file."""

    permissions = {"GET": Permission.BATCHES_VIEW, "DELETE": Permission.BATCHES_RUN}

    @extend_schema(operation_id="get_openai_file", tags=TAGS, responses=shapes.OpenAIFileSerializer)
    def get(self, request: Request, file: str) -> Response:
        """Get a file."""
        return Response(shapes.file_json(queries.get_file(self.project, file)))

    @extend_schema(
        operation_id="delete_openai_file",
        tags=TAGS,
        responses={200: shapes.OpenAIFileDeletedSerializer},
    )
    def delete(self, request: Request, file: str) -> Response:
        """Delete a file with its content; 409 while a batch that has not ended uses it."""
        found = queries.get_file(self.project, file)
        delete_file(actor=self.access.actor, file=found)
        return Response({"id": found.public_id, "object": "file", "deleted": True})


class WhateverIsAccepted(DefaultContentNegotiation):
    """Errors are JSON, whatever the client accepts: OpenAI's ask for `application/binary`."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """The one renderer there is."""
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


class OpenAIFileContentAPI(ProjectAPIView):
    """The bytes of one file."""

    permissions = {"GET": Permission.BATCHES_VIEW}
    content_negotiation_class = WhateverIsAccepted

    @extend_schema(
        operation_id="download_openai_file",
        tags=TAGS,
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, file: str) -> StreamingHttpResponse:
        """Download a file."""
        found = queries.get_file(self.project, file)
        content = StoredFile.objects.filter(pk=found.content_id).first()
        if content is None:
            raise NotFound("The content of this file was deleted.", code="file_not_found")
        # Its length is told, so that a stream that breaks off is noticed.
        return StreamingHttpResponse(
            files.stream(content),
            content_type="application/octet-stream",
            headers={"Content-Length": str(content.size), "X-Accel-Buffering": "no"},
        )


def asked_limit(request: Request, most: int, default: int) -> int:
    """A list's `limit`. Raises InvalidRequest."""
    limit = whole_number(request.query_params.get("limit", str(default)))
    if limit is None or not 1 <= limit <= most:
        raise InvalidRequest(f"limit must be a whole number from 1 to {most}.", param="limit")
    return limit


def _choice(request: Request, name: str, choices: Any, default: str) -> str:
    chosen = request.query_params.get(name)
    if chosen is None:
        return default
    if chosen not in choices:
        raise InvalidRequest(f"{name} is one of {', '.join(choices)}.", param=name)
    return chosen


def _expires_after(request: Request) -> int | None:
    """`expires_after[anchor]` and `expires_after[seconds]` of a form. Raises what becomes InvalidRequest."""
    form = request._request.POST
    given = {
        name: form[f"expires_after[{name}]"]
        for name in ("anchor", "seconds")
        if f"expires_after[{name}]" in form
    }
    if not given:
        return None
    wanted = shapes.KeptSerializer(data={"expires_after": given})
    wanted.is_valid(raise_exception=True)
    return int(wanted.validated_data["expires_after"]["seconds"])
