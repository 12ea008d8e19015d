"""`/v1/batches` as OpenAI's clients call it."""

from typing import Final

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.batches.api import openai_shapes as shapes
from apps.batches.api.openai_files import TAGS, after_parameter, asked_limit
from apps.batches.openai import queries
from apps.batches.openai_models import Endpoint
from apps.batches.services.openai_batches import AskedBatch, cancel_openai_batch, create_openai_batch
from apps.core import api
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission

MOST_BATCHES: Final = 100
USUAL_BATCHES: Final = 20


class OpenAIBatchListAPI(ProjectAPIView):
    """The project's batches over files."""

    permissions = {"GET": Permission.BATCHES_VIEW, "POST": Permission.BATCHES_RUN}

    @extend_schema(
        operation_id="list_openai_batches",
        tags=TAGS,
        parameters=[
            after_parameter("batch_"),
            OpenApiParameter(
                "limit",
                {"type": "integer", "minimum": 1, "maximum": MOST_BATCHES, "default": USUAL_BATCHES},
            ),
        ],
        responses=shapes.OpenAIBatchListSerializer,
    )
    def get(self, request: Request) -> Response:
        """List batches, newest first."""
        after = request.query_params.get("after")
        cursor = queries.Cursor(
            limit=asked_limit(request, MOST_BATCHES, USUAL_BATCHES),
            after=queries.after_of(after, queries.batch_id_of(after or "")),
        )
        rows, has_more = queries.page(queries.list_batches(self.project), cursor)
        jobs = queries.jobs_of(rows)
        told = [shapes.batch_json(row, jobs.get(row.pk)) for row in rows]
        return Response(shapes.list_json(told, has_more=has_more))

    @extend_schema(
        operation_id="create_openai_batch",
        tags=TAGS,
        request=shapes.CreateOpenAIBatchSerializer,
        responses={200: shapes.OpenAIBatchSerializer},
    )
    def post(self, request: Request) -> Response:
        """Start a batch over the requests of a file. It is `validating` until a worker has read the file."""
        values = api.validated(shapes.CreateOpenAIBatchSerializer(data=request.data))
        kept = values.get("output_expires_after")
        batch = create_openai_batch(
            actor=self.access.actor,
            project=self.project,
            asked=AskedBatch(
                input_file=queries.get_file(self.project, values["input_file_id"], param="input_file_id"),
                endpoint=Endpoint(values["endpoint"]),
                metadata=values.get("metadata"),
                output_seconds=kept["seconds"] if kept else None,
                livemode=self.access.livemode,
                api_key_id=self.access.api_key_id,
            ),
        )
        return Response(shapes.batch_json(batch, None))


class OpenAIBatchAPI(ProjectAPIView):
    """One batch."""

    permissions = {"GET": Permission.BATCHES_VIEW}

    @extend_schema(operation_id="get_openai_batch", tags=TAGS, responses=shapes.OpenAIBatchSerializer)
    def get(self, request: Request, batch: str) -> Response:
        """Get a batch."""
        found = queries.get_batch(self.project, batch)
        return Response(shapes.batch_json(found, queries.jobs_of([found]).get(found.pk)))


class CancelOpenAIBatchAPI(ProjectAPIView):
    """The stop of a batch."""

    permissions = {"POST": Permission.BATCHES_RUN}

    @extend_schema(
        operation_id="cancel_openai_batch",
        tags=TAGS,
        request=None,
        responses={200: shapes.OpenAIBatchSerializer},
    )
    def post(self, request: Request, batch: str) -> Response:
        """Cancel a batch. What has been answered stands in its files a few seconds later, and is charged."""
        found = cancel_openai_batch(actor=self.access.actor, batch=queries.get_batch(self.project, batch))
        return Response(shapes.batch_json(found, queries.jobs_of([found]).get(found.pk)))
