"""Files by API: uploaded, then imported."""

from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import api
from apps.core.errors import InvalidRequest
from apps.datasets import queries, services
from apps.datasets.api import serializers as shapes
from apps.datasets.api.views import TAGS
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission


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
        """Upload a CSV or JSONL file of up to 100 MB and 1,000,000 rows and see what was recognised.

        A file of more than 2 MB is read through afterwards: ask for it again until its `status` is
        `waiting`, or `failed`.
        """
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
        responses={201: shapes.DatasetVersionSerializer, 202: shapes.DatasetImportSerializer},
    )
    def post(self, request: Request, dataset_import: str) -> Response:
        """Turn an uploaded file into a new version of a dataset.

        A file of more than 2 MB is imported afterwards and answered with 202: ask for the upload until its
        `status` is `imported`, or `failed`.
        """
        found = queries.get_import(self.project, dataset_import)
        values = api.validated(shapes.ImportRowsSerializer(data=request.data))
        chosen = tuple(shapes.to_mapping(item) for item in values.get("mapping", ()))
        started = services.start_import(
            actor=self.access.actor,
            dataset_import=found,
            dataset_name=values["dataset"],
            mapping=chosen or queries.import_mapping(found),
        )
        if started.version is None:
            return Response(shapes.import_json(started), status=202)
        return Response(shapes.version_json(started.version), status=201)
