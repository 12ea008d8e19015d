"""Datasets by API: rows given directly, or a file uploaded and then imported."""

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import api, files
from apps.core.errors import InvalidRequest, NotFound
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.datasets import queries, services
from apps.datasets.api import serializers as shapes
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission

TAGS = ["Datasets"]


class DatasetListAPI(ProjectAPIView):
    """The datasets of the project."""

    permissions = {"GET": Permission.DATASETS_VIEW, "POST": Permission.DATASETS_EDIT}

    @extend_schema(
        operation_id="list_datasets",
        tags=TAGS,
        parameters=CURSOR_PARAMETERS,
        responses=list_of(shapes.DatasetSerializer),
    )
    def get(self, request: Request) -> Response:
        """List the project's datasets, newest first."""
        return Response(api.page(queries.list_datasets(self.project), request, shapes.dataset_json))

    @extend_schema(
        operation_id="create_dataset",
        tags=TAGS,
        request=shapes.CreateDatasetSerializer,
        responses={201: shapes.DatasetVersionSerializer},
    )
    def post(self, request: Request) -> Response:
        """Create a dataset, or a new version of the one of that name, from up to 1,000 rows."""
        values = api.validated(shapes.CreateDatasetSerializer(data=request.data))
        version = services.create_version(
            actor=self.access.actor,
            project=self.project,
            dataset_name=values["name"],
            rows=[shapes.to_row(item) for item in values["rows"]],
        )
        return Response(shapes.version_json(version), status=201)


class DatasetAPI(ProjectAPIView):
    """One dataset."""

    permissions = {"GET": Permission.DATASETS_VIEW}

    @extend_schema(operation_id="get_dataset", tags=TAGS, responses=shapes.DatasetSerializer)
    def get(self, request: Request, dataset: str) -> Response:
        """Get a dataset."""
        return Response(shapes.dataset_json(queries.get_dataset(self.project, dataset)))


class DatasetVersionListAPI(ProjectAPIView):
    """The versions of a dataset."""

    permissions = {"GET": Permission.DATASETS_VIEW}

    @extend_schema(
        operation_id="list_dataset_versions",
        tags=TAGS,
        parameters=CURSOR_PARAMETERS,
        responses=list_of(shapes.DatasetVersionSerializer),
    )
    def get(self, request: Request, dataset: str) -> Response:
        """List a dataset's versions, newest first."""
        versions = queries.list_versions(queries.get_dataset(self.project, dataset))
        return Response(api.page(versions, request, shapes.version_json))


class DatasetVersionAPI(ProjectAPIView):
    """One version of a dataset."""

    permissions = {"GET": Permission.DATASETS_VIEW}

    @extend_schema(operation_id="get_dataset_version", tags=TAGS, responses=shapes.DatasetVersionSerializer)
    def get(self, request: Request, version: str) -> Response:
        """Get a dataset version."""
        return Response(shapes.version_json(queries.get_version(self.project, version)))


class DatasetRowListAPI(ProjectAPIView):
    """The rows of a version."""

    permissions = {"GET": Permission.DATASETS_VIEW}

    @extend_schema(
        operation_id="list_dataset_rows",
        tags=TAGS,
        parameters=CURSOR_PARAMETERS,
        responses=list_of(shapes.DatasetRowSerializer),
    )
    def get(self, request: Request, version: str) -> Response:
        """List a version's rows, the last row of the file first."""
        rows = queries.list_rows(queries.get_version(self.project, version))
        return Response(api.page(rows, request, shapes.row_json))


class ProblemsAPI(ProjectAPIView):
    """The rows that could not be used."""

    permissions = {"GET": Permission.DATASETS_VIEW}

    @extend_schema(
        operation_id="download_dataset_problems", tags=TAGS, responses={(200, "text/csv"): OpenApiTypes.STR}
    )
    def get(self, request: Request, version: str) -> HttpResponse:
        """Download the rows that could not be used, with line and reason, as CSV."""
        stored = queries.stored_file(queries.get_version(self.project, version).problems_file_id)
        if stored is None:
            raise NotFound("There are no problem rows, or their file has expired.", code="file_expired")
        return HttpResponse(b"".join(files.read(stored)), content_type="text/csv; charset=utf-8")


class DatasetImportListAPI(ProjectAPIView):
    """Files to be imported."""

    permissions = {"POST": Permission.DATASETS_EDIT}
    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="create_dataset_import",
        tags=TAGS,
        request={
            "multipart/form-data": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        },
        responses={201: shapes.DatasetImportSerializer},
    )
    def post(self, request: Request) -> Response:
        """Upload a CSV or JSONL file of up to 10 MB and see what was recognised."""
        uploaded = request.FILES.get("file")
        if not isinstance(uploaded, UploadedFile):
            raise InvalidRequest("Send the file as the form field 'file'.", param="file")
        dataset_import = services.upload_file(
            actor=self.access.actor,
            project=self.project,
            name=uploaded.name or "file",
            chunks=uploaded.chunks(),
        )
        return Response(shapes.import_json(dataset_import), status=201)


class DatasetImportAPI(ProjectAPIView):
    """One uploaded file."""

    permissions = {"GET": Permission.DATASETS_VIEW}

    @extend_schema(operation_id="get_dataset_import", tags=TAGS, responses=shapes.DatasetImportSerializer)
    def get(self, request: Request, dataset_import: str) -> Response:
        """Get an uploaded file."""
        return Response(shapes.import_json(queries.get_import(self.project, dataset_import)))


class ImportRowsAPI(ProjectAPIView):
    """The step from a file to a version."""

    permissions = {"POST": Permission.DATASETS_EDIT}

    @extend_schema(
        operation_id="import_dataset_rows",
        tags=TAGS,
        request=shapes.ImportRowsSerializer,
        responses={201: shapes.DatasetVersionSerializer},
    )
    def post(self, request: Request, dataset_import: str) -> Response:
        """Turn an uploaded file into a new version of a dataset."""
        found = queries.get_import(self.project, dataset_import)
        values = api.validated(shapes.ImportRowsSerializer(data=request.data))
        chosen = tuple(shapes.to_mapping(item) for item in values.get("mapping", ()))
        version = services.import_rows(
            actor=self.access.actor,
            dataset_import=found,
            dataset_name=values["dataset"],
            mapping=chosen or queries.import_mapping(found),
        )
        return Response(shapes.version_json(version), status=201)
