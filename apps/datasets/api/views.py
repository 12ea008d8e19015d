"""Datasets by API: rows given directly, or a file uploaded and then imported."""

from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import api, ids
from apps.core.errors import InvalidRequest, NotFound
from apps.core.expanding import expand_parameter, expanded
from apps.core.models import find
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.datasets import downloads, queries, services
from apps.datasets.api import serializers as shapes
from apps.datasets.comparing import compare
from apps.datasets.exporting import FORMATS
from apps.datasets.models import Dataset, DatasetRow, DatasetVersion
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission

TAGS = ["Datasets"]


def _latest_versions(datasets: Sequence[Dataset]) -> dict[UUID, dict[str, Any]]:
    return {each.dataset_id: shapes.version_json(each) for each in queries.latest_versions(datasets)}


EXPANSIONS: Final = {"latest_version": _latest_versions}


class DatasetListAPI(ProjectAPIView):
    """The datasets of the project."""

    permissions = {"GET": Permission.DATASETS_VIEW, "POST": Permission.DATASETS_EDIT}

    @extend_schema(
        operation_id="list_datasets",
        tags=TAGS,
        parameters=[
            *CURSOR_PARAMETERS,
            expand_parameter(EXPANSIONS),
            OpenApiParameter("search", str, description="Part of the name."),
            OpenApiParameter("archived", bool, description="true: the archived ones instead."),
        ],
        responses=list_of(shapes.DatasetSerializer),
    )
    def get(self, request: Request) -> Response:
        """List the project's datasets, newest first, without archived ones."""
        search = request.query_params.get("search", "")[:100]
        archived = _flag(request, "archived")
        found = queries.list_datasets(self.project, search, archived=archived)
        return Response(api.page(found, request, shapes.dataset_json, EXPANSIONS))

    @extend_schema(
        operation_id="create_dataset",
        tags=TAGS,
        request=shapes.CreateDatasetSerializer,
        responses={201: shapes.DatasetVersionSerializer},
    )
    def post(self, request: Request) -> Response:
        """Create a dataset from up to 1,000 rows or empty; rows for an existing name make a new version."""
        values = api.validated(shapes.CreateDatasetSerializer(data=request.data))
        if "columns" in values:
            empty = services.create_dataset(
                actor=self.access.actor,
                project=self.project,
                name=values["name"],
                columns=[shapes.to_new_column(item) for item in values["columns"]],
            )
            return Response(shapes.version_json(empty), status=201)
        version = services.create_version(
            actor=self.access.actor,
            project=self.project,
            dataset_name=values["name"],
            rows=[shapes.to_row(item) for item in values["rows"]],
        )
        return Response(shapes.version_json(version), status=201)


class DatasetAPI(ProjectAPIView):
    """One dataset."""

    permissions = {
        "GET": Permission.DATASETS_VIEW,
        "PATCH": Permission.DATASETS_EDIT,
        "DELETE": Permission.DATASETS_EDIT,
    }

    @extend_schema(
        operation_id="get_dataset",
        tags=TAGS,
        parameters=[expand_parameter(EXPANSIONS)],
        responses=shapes.DatasetSerializer,
    )
    def get(self, request: Request, dataset: str) -> Response:
        """Get a dataset."""
        found = queries.get_dataset(self.project, dataset)
        return Response(expanded(request, [found], [shapes.dataset_json(found)], EXPANSIONS)[0])

    @extend_schema(
        operation_id="update_dataset",
        tags=TAGS,
        request=shapes.PatchDatasetSerializer,
        responses=shapes.DatasetSerializer,
    )
    def patch(self, request: Request, dataset: str) -> Response:
        """Rename a dataset, archive it or bring it back."""
        values = api.validated(shapes.PatchDatasetSerializer(data=request.data))
        found = queries.get_dataset(self.project, dataset)
        if "name" in values:
            services.rename_dataset(actor=self.access.actor, dataset=found, name=values["name"])
        if "archived" in values:
            act = services.archive_dataset if values["archived"] else services.unarchive_dataset
            act(actor=self.access.actor, dataset=found)
        return Response(shapes.dataset_json(found))

    @extend_schema(operation_id="delete_dataset", tags=TAGS, responses={204: None})
    def delete(self, request: Request, dataset: str) -> Response:
        """Delete a dataset that nothing uses, with all its versions."""
        services.delete_dataset(actor=self.access.actor, dataset=queries.get_dataset(self.project, dataset))
        return Response(status=204)


class DatasetWriteRowsAPI(ProjectAPIView):
    """The rows of a dataset's next version."""

    permissions = {"POST": Permission.DATASETS_EDIT, "PUT": Permission.DATASETS_EDIT}

    @extend_schema(
        operation_id="append_dataset_rows",
        tags=TAGS,
        request=shapes.WriteRowsSerializer,
        responses={201: shapes.DatasetVersionSerializer},
    )
    def post(self, request: Request, dataset: str) -> Response:
        """Add up to 1,000 rows: a new version has the latest one's rows and, behind them, these."""
        return self._written(request, dataset, services.append_rows, 201)

    @extend_schema(
        operation_id="replace_dataset_rows",
        tags=TAGS,
        request=shapes.WriteRowsSerializer,
        responses=shapes.DatasetVersionSerializer,
    )
    def put(self, request: Request, dataset: str) -> Response:
        """Make a new version that holds exactly these rows, up to 1,000."""
        return self._written(request, dataset, services.replace_rows, 200)

    def _written(
        self, request: Request, dataset: str, write: Callable[..., DatasetVersion], status: int
    ) -> Response:
        values = api.validated(shapes.WriteRowsSerializer(data=request.data))
        version = write(
            actor=self.access.actor,
            dataset=queries.get_dataset(self.project, dataset),
            rows=[shapes.to_row(item) for item in values["rows"]],
            expected_number=values.get("expected_number"),
            note=values.get("note", ""),
        )
        return Response(shapes.version_json(version), status=status)


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
        """List a version's rows in their order."""
        found = queries.get_version(self.project, version)
        limit = api.asked_limit(request)
        after = _row_number(found, request, "starting_after")
        before = _row_number(found, request, "ending_before")
        first = max(before - limit, (after or 0) + 1) if before is not None else (after or 0) + 1
        last = first + limit - 1 if before is None else before - 1
        rows = list(queries.list_rows(found).filter(number__gte=first, number__lte=last))
        has_more = first > 1 if before is not None else last < found.row_count
        answer = {
            "object": "list",
            "data": [shapes.row_json(row) for row in rows],
            "has_more": has_more,
            "next_cursor": rows[-1].public_id if rows and has_more and before is None else None,
            "url": request.path,
        }
        return Response(answer)


class ProblemsAPI(ProjectAPIView):
    """The rows that could not be used."""

    permissions = {"GET": Permission.DATASETS_VIEW}

    @extend_schema(
        operation_id="download_dataset_problems", tags=TAGS, responses={(200, "text/csv"): OpenApiTypes.STR}
    )
    def get(self, request: Request, version: str) -> HttpResponse:
        """Download the rows that could not be used, with line and reason, as CSV."""
        return downloads.download_problems(queries.get_version(self.project, version))


class ExportAPI(ProjectAPIView):
    """A version as a file."""

    permissions = {"GET": Permission.DATASETS_VIEW}

    @extend_schema(
        operation_id="export_dataset_version",
        tags=TAGS,
        parameters=[
            OpenApiParameter(
                "format",
                str,
                enum=FORMATS,
                description="csv and jsonl give back what was imported, exactly; spreadsheet is CSV in which "
                "nothing is taken for a formula.",
            )
        ],
        responses={(200, "text/csv"): OpenApiTypes.STR, (200, "application/jsonl"): OpenApiTypes.STR},
    )
    def get(self, request: Request, version: str) -> StreamingHttpResponse:
        """Download a version's rows, streamed."""
        found = queries.get_version(self.project, version)
        return downloads.download(found, request.query_params.get("format", "csv"))


class OriginalAPI(ProjectAPIView):
    """The file that a version was imported from."""

    permissions = {"GET": Permission.DATASETS_VIEW}

    @extend_schema(
        operation_id="download_dataset_original",
        tags=TAGS,
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, version: str) -> StreamingHttpResponse:
        """Download the uploaded file byte for byte; it is kept for 30 days."""
        return downloads.download_original(queries.get_version(self.project, version))


class CompareAPI(ProjectAPIView):
    """What differs between two versions."""

    permissions = {"GET": Permission.DATASETS_VIEW}

    @extend_schema(
        operation_id="compare_dataset_versions",
        tags=TAGS,
        parameters=[OpenApiParameter("to", str, required=True, description="The version to compare with.")],
        responses=shapes.DifferenceSerializer,
    )
    def get(self, request: Request, version: str) -> Response:
        """Count the rows that were added, changed and removed from one version to another."""
        before = queries.get_version(self.project, version)
        after = queries.get_version(self.project, request.query_params.get("to", ""))
        return Response(shapes.difference_json(compare(before, after, limit=1)))


class RestoreAPI(ProjectAPIView):
    """An older version as the newest."""

    permissions = {"POST": Permission.DATASETS_EDIT}

    @extend_schema(
        operation_id="restore_dataset_version",
        tags=TAGS,
        request=shapes.RestoreSerializer,
        responses={201: shapes.DatasetVersionSerializer},
    )
    def post(self, request: Request, version: str) -> Response:
        """Make a new version with the rows and columns of an older one."""
        values = api.validated(shapes.RestoreSerializer(data=request.data))
        restored = services.restore_version(
            actor=self.access.actor,
            version=queries.get_version(self.project, version),
            expected_number=values.get("expected_number"),
        )
        return Response(shapes.version_json(restored), status=201)


def _row_number(version: DatasetVersion, request: Request, name: str) -> int | None:
    """The number of the row that a cursor names.

    Raises InvalidRequest for what is no row's id, NotFound for a row of another version.
    """
    text = request.query_params.get(name)
    if text is None:
        return None
    if ids.decode_or_none(DatasetRow.PREFIX, text) is None:
        raise InvalidRequest(f"{name} is not the id of a row.", param=name)
    row = find(queries.list_rows(version), text)
    if row is None:
        raise NotFound(f"{name} is not the id of a row of this version.", code="row_not_found", param=name)
    return row.number


def _flag(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "false")
    if text not in {"true", "false"}:
        raise InvalidRequest(f"{name} is true or false.", param=name)
    return text == "true"
