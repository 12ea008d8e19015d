"""The rows of a batch by API: kept as a dataset, taken away as a file."""

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.batches import queries, services
from apps.core import api
from apps.datasets import downloads
from apps.datasets import queries as dataset_queries
from apps.datasets.api.serializers import DatasetSerializer, dataset_json
from apps.datasets.exporting import FORMATS
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission

TAGS = ["Batches"]


class KeepRowsSerializer(serializers.Serializer[Any]):
    """A name for rows in the library of datasets."""

    name = serializers.CharField(max_length=120)


class KeepRowsAPI(ProjectAPIView):
    """The rows of a batch as a dataset."""

    permissions = {"POST": Permission.DATASETS_EDIT}

    @extend_schema(
        operation_id="keep_batch_rows",
        tags=TAGS,
        request=KeepRowsSerializer,
        responses={201: DatasetSerializer},
    )
    def post(self, request: Request, batch: str) -> Response:
        """Keep the rows that a batch took from a file, a request, runs or another batch as a dataset."""
        values = api.validated(KeepRowsSerializer(data=request.data))
        self.access.require(Permission.BATCHES_VIEW)
        job = queries.get_job(self.project, batch)
        kept = services.keep_rows(actor=self.access.actor, job=job, name=values["name"])
        found = dataset_queries.get_dataset(self.project, kept.public_id)
        return Response(dataset_json(found), status=201)


class BatchRowsAPI(ProjectAPIView):
    """The rows that a batch runs over."""

    permissions = {"GET": Permission.BATCHES_VIEW}

    @extend_schema(
        operation_id="download_batch_rows",
        tags=TAGS,
        parameters=[OpenApiParameter("format", str, enum=list(FORMATS), description="jsonl by default.")],
        responses={(200, "application/jsonl"): OpenApiTypes.STR, (200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request, batch: str) -> StreamingHttpResponse:
        """Download the rows that a batch runs over."""
        version = queries.get_job(self.project, batch).dataset_version
        return downloads.download(version, request.query_params.get("format", "jsonl"))
