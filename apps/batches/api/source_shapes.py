"""Shapes of where a batch's rows come from by API, and how a body becomes a source."""

from collections.abc import Mapping
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ParseError

from apps.batches.api.control_shapes import RowChoiceSerializer, row_choice
from apps.batches.models import BatchJob
from apps.batches.row_sources import (
    DEFAULT_RUNS,
    EXPECTED,
    MOST_RUNS,
    ORDERS,
    BatchSource,
    ImportSource,
    RowSource,
    RunsSource,
)
from apps.core import ids
from apps.core.errors import InvalidRequest
from apps.datasets import queries as dataset_queries
from apps.datasets import services as dataset_services
from apps.datasets.api.serializers import ColumnSerializer, RowValuesSerializer, to_mapping
from apps.datasets.mapping import RowValues
from apps.datasets.models import Dataset, DatasetVersion
from apps.prompts import queries as prompt_queries
from apps.runs.models import RunSource, RunStatus
from apps.runs.queries import RunFilters
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.models import Project
from apps.tenants.roles import Permission

MOST_ROWS: Final = 50_000
MOST_BYTES: Final = 4 * 1024 * 1024
"""Of a body with rows, which takes ten times as much while it is read. More is uploaded as a file."""

ROWS_AT_ONCE: Final = 2_000
"""Kept while the caller waits; more is a worker's."""

SOURCES: Final = ("dataset_version", "rows", "dataset_import", "runs", "from_batch")
_ROW_KEYS: Final = frozenset({"variables", "expected", "metadata"})
# One for all rows without metadata; nothing writes to it.
_NOTHING: Final[dict[str, Any]] = {}


@extend_schema_field(RowValuesSerializer(many=True))
class RowsField(serializers.Field):  # type: ignore[type-arg]
    """Up to 50,000 rows, read without a serializer each, which would take seconds."""

    def to_internal_value(self, data: Any) -> list[RowValues]:
        """The rows. Raises InvalidRequest that names the first bad one."""
        if not isinstance(data, list) or not data:
            raise _row_problem("rows must be a list of at least one row.", "rows")
        if len(data) > MOST_ROWS:
            message = f"A request takes up to {MOST_ROWS:,} rows; upload a file for more."
            raise InvalidRequest(message, code="too_many_rows", param="rows")
        rows = []
        for number, each in enumerate(data):
            rows.append(_row(number, each))
            # A hundred thousand objects twice would be felt.
            data[number] = None
        return rows

    def to_representation(self, value: Any) -> Any:
        """Rows are never told."""
        raise NotImplementedError


class RunsSerializer(serializers.Serializer[Any]):
    """Earlier runs of the project that still have their content, by filter. Needs the right to see runs."""

    prompt = serializers.CharField(max_length=255, required=False, help_text="The prompt's name.")
    version = serializers.IntegerField(min_value=1, required=False)
    label = serializers.CharField(max_length=36, required=False)  # type: ignore[assignment]
    status = serializers.ChoiceField(choices=RunStatus.choices, required=False)
    source = serializers.ChoiceField(choices=RunSource.choices, required=False)  # type: ignore[assignment]
    model = serializers.CharField(max_length=255, required=False)
    end_user = serializers.CharField(max_length=255, required=False)
    error_code = serializers.CharField(max_length=64, required=False)
    feedback = serializers.ChoiceField(choices=["any", "low", "high"], required=False)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)
    limit = serializers.IntegerField(min_value=1, max_value=MOST_RUNS, default=DEFAULT_RUNS)
    order = serializers.ChoiceField(
        choices=ORDERS, default="newest", help_text="The newest, or as many drawn by chance."
    )
    expected = serializers.ChoiceField(
        choices=EXPECTED,
        default="answer",
        help_text="What a row expects: the latest correction or else the answer, the answer, or nothing.",
    )


class FromBatchSerializer(serializers.Serializer[Any]):
    """Rows of another batch by what came out of them."""

    batch = serializers.CharField(max_length=64, help_text="bat_…")
    where = RowChoiceSerializer()


class SourceSerializer(serializers.Serializer[Any]):
    """Where the rows come from: one of these. Rows, runs and files are kept with the batch alone."""

    dataset_version = serializers.CharField(
        required=False, help_text="dsv_…, or dst_… for a dataset's latest version."
    )
    rows = RowsField(required=False, help_text="Up to 50,000 rows and 4 MB.")
    dataset_import = serializers.CharField(
        required=False, max_length=64, help_text="dsx_…: an uploaded file that was not imported yet."
    )
    mapping = ColumnSerializer(
        many=True, required=False, help_text="Of the file; left out, the proposed one is used."
    )
    runs = RunsSerializer(required=False)
    from_batch = FromBatchSerializer(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given: list[str] = [name for name in SOURCES if name in attrs]
        if self.context.get("has_file"):
            given.append("file")
        if len(given) != 1:
            wanted = f"Give one of {', '.join(SOURCES)}, or a file."
            told = f" You gave {' and '.join(given)}." if given else ""
            param = given[-1] if given else "dataset_version"
            raise InvalidRequest(wanted + told, code="source_invalid", param=param)
        parent: dict[str, Any] = super().validate(attrs)
        return parent


def source_of_body(
    view: ProjectAPIView,
    values: Mapping[str, Any],
    file: UploadedFile | None,  # type: ignore[type-arg]
) -> DatasetVersion | RowSource:
    """What a validated body says: a dataset version, or what rows are taken from.

    Raises NotFound, PermissionDenied for runs that the caller may not read, InvalidRequest.
    """
    project = view.project
    if "dataset_version" in values:
        return find_version(project, values["dataset_version"])
    if "rows" in values:
        return _rows(view, values["rows"])
    if "runs" in values:
        view.access.require(Permission.RUNS_VIEW)
        return _runs(project, values["runs"])
    if "from_batch" in values:
        view.access.require(Permission.BATCHES_VIEW)
        told = values["from_batch"]
        batch_id = ids.decode_or_none(BatchJob.PREFIX, told["batch"])
        if batch_id is None:
            message = "from_batch.batch is the id of a batch: bat_…"
            raise InvalidRequest(message, code="parameter_invalid", param="from_batch.batch")
        return BatchSource(batch_id, row_choice(told["where"]))
    mapping = tuple(to_mapping(item).as_json() for item in values.get("mapping", ()))
    if file is None:
        found = dataset_queries.get_import(project, values["dataset_import"])
        return ImportSource(found.pk, mapping)
    prompt = prompt_queries.resolve(
        project_id=project.pk,
        name=values["prompt"],
        label=values.get("label"),
        number=values.get("version"),
    )
    uploaded = dataset_services.upload_file(
        actor=view.access.actor,
        project=project,
        name=file.name or "file",
        chunks=file.chunks(),
        variables=[variable["name"] for variable in prompt.variables],
    )
    return ImportSource(uploaded.pk, mapping)


def find_version(project: Project, public_id: str) -> DatasetVersion:
    """A dataset version by its id, or a dataset's latest one by the dataset's. Raises NotFound."""
    if public_id.startswith(f"{Dataset.PREFIX}_"):
        dataset = dataset_queries.get_dataset(project, public_id)
        return dataset_queries.list_versions(dataset).select_related("dataset")[0]
    return dataset_queries.get_version(project, public_id)


def body_of_form(data: Any) -> Any:
    """The JSON text of a form's field `batch`."""
    text = data.get("batch")
    if not isinstance(text, str):
        raise ParseError("Send the batch as JSON text in the form field 'batch', beside 'file'.")
    return text


def _rows(view: ProjectAPIView, rows: list[RowValues]) -> DatasetVersion | RowSource:
    actor, project, name = view.access.actor, view.project, "Rows of a request"
    if len(rows) <= ROWS_AT_ONCE:
        return dataset_services.store_batch_rows(
            actor=actor, project=project, name=name, source="rows", rows=rows
        )
    return ImportSource(
        dataset_services.upload_rows(actor=actor, project=project, name=name, rows=rows).pk, kind="rows"
    )


def _runs(project: Project, told: Mapping[str, Any]) -> RunsSource:
    plain = ("label", "status", "source", "model", "end_user", "error_code", "feedback")
    prompt = prompt_queries.find_prompt(project, told["prompt"]) if "prompt" in told else None
    filters = RunFilters(
        prompt_id=prompt.pk if prompt else None,
        version_number=told.get("version"),
        since=told.get("since"),
        until=told.get("until"),
        **{name: told[name] for name in plain if name in told},
    )
    return RunsSource(filters, limit=told["limit"], order=told["order"], expected=told["expected"])


def _row(number: int, given: Any) -> RowValues:
    if not isinstance(given, dict):
        raise _row_problem(f"Row {number + 1} is not an object.", f"rows.{number}")
    for name in given.keys() - _ROW_KEYS:
        raise _row_problem(f"Row {number + 1} has an unknown field {name!r}.", f"rows.{number}.{name}")
    variables, metadata = given.get("variables"), given.get("metadata") or _NOTHING
    if not isinstance(variables, dict):
        raise _row_problem(f"Row {number + 1} has no object of variables.", f"rows.{number}.variables")
    if not isinstance(metadata, dict):
        raise _row_problem(f"Row {number + 1}: metadata is an object.", f"rows.{number}.metadata")
    expected = given.get("expected")
    if expected is not None and not isinstance(expected, str):
        raise _row_problem(f"Row {number + 1}: expected is a text or null.", f"rows.{number}.expected")
    return RowValues(variables, expected, metadata)


def _row_problem(message: str, param: str) -> InvalidRequest:
    return InvalidRequest(message, code="row_invalid", param=param)
