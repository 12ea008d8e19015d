"""Shapes of the dataset API."""

from dataclasses import asdict
from typing import Any

from rest_framework import serializers

from apps.core import ids
from apps.datasets import queries
from apps.datasets.comparing import Difference
from apps.datasets.mapping import ROLES, TYPES, ColumnMapping, RowValues
from apps.datasets.models import (
    Dataset,
    DatasetImport,
    DatasetRow,
    DatasetVersion,
    ImportState,
    VersionKind,
)

MAX_ROWS_A_REQUEST = 1_000


class ColumnSerializer(serializers.Serializer[Any]):
    """What one column of a file becomes."""

    column = serializers.CharField(max_length=1000)
    role = serializers.ChoiceField(choices=ROLES)
    name = serializers.CharField(max_length=100, required=False)
    type = serializers.ChoiceField(choices=TYPES, default="text")


class ImportRowsSerializer(serializers.Serializer[Any]):
    """The body that turns an uploaded file into a dataset version."""

    dataset = serializers.CharField(max_length=120)
    mapping = ColumnSerializer(many=True, required=False, help_text="Left out: the proposed mapping is used.")


class RowValuesSerializer(serializers.Serializer[Any]):
    """One row given directly."""

    variables = serializers.DictField()
    expected = serializers.CharField(required=False, allow_null=True, trim_whitespace=False)
    metadata = serializers.DictField(required=False)


class NewColumnSerializer(serializers.Serializer[Any]):
    """A column of a dataset that begins empty."""

    name = serializers.CharField(max_length=100)
    role = serializers.ChoiceField(choices=ROLES, default="variable")
    type = serializers.ChoiceField(choices=TYPES, default="text")


class CreateDatasetSerializer(serializers.Serializer[Any]):
    """A dataset, or a new version of one, from rows given directly; or an empty dataset of these columns."""

    name = serializers.CharField(max_length=120)
    rows: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=RowValuesSerializer(), allow_empty=False, max_length=MAX_ROWS_A_REQUEST, required=False
    )
    columns: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=NewColumnSerializer(),
        allow_empty=False,
        max_length=200,
        required=False,
        help_text="Instead of rows: an empty dataset, whose name must be free.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("rows" in attrs) == ("columns" in attrs):
            raise serializers.ValidationError({"rows": "Give rows, or columns for an empty dataset."})
        return attrs


class PatchDatasetSerializer(serializers.Serializer[Any]):
    """What may change of a dataset itself."""

    name = serializers.CharField(max_length=120, required=False)
    archived = serializers.BooleanField(required=False)


class WriteRowsSerializer(serializers.Serializer[Any]):
    """Rows for the dataset's next version."""

    rows: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=RowValuesSerializer(), allow_empty=False, max_length=MAX_ROWS_A_REQUEST
    )
    expected_number = serializers.IntegerField(
        required=False, min_value=1, max_value=2**31 - 1, help_text="409 unless this is the latest version."
    )
    note = serializers.CharField(required=False, allow_blank=True, max_length=200)


class RestoreSerializer(serializers.Serializer[Any]):
    """The body of a restore."""

    expected_number = serializers.IntegerField(
        required=False, min_value=1, max_value=2**31 - 1, help_text="409 unless this is the latest version."
    )


class FactsSerializer(serializers.Serializer[Any]):
    format = serializers.ChoiceField(choices=["csv", "jsonl"])
    encoding = serializers.CharField()
    byte_order_mark = serializers.BooleanField()
    delimiter = serializers.CharField(help_text="Empty for JSONL.")
    has_header = serializers.BooleanField()
    columns = serializers.ListField(child=serializers.CharField())
    quoted_newlines = serializers.BooleanField()
    header = serializers.ListField(
        child=serializers.CharField(allow_blank=True), help_text="The first line of a CSV file, as it stands."
    )
    rows = serializers.IntegerField(help_text="Rows that can be used.")
    problem_rows = serializers.IntegerField(help_text="Rows that can't.")
    repeated_rows = serializers.IntegerField(help_text="Rows that repeat an earlier one.")


class DatasetImportSerializer(serializers.Serializer[Any]):
    """An uploaded file and what was recognised of it."""

    id = serializers.CharField()
    object = serializers.CharField(default="dataset_import")
    file_name = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
    status = serializers.ChoiceField(choices=ImportState.choices)
    bytes_read = serializers.IntegerField(help_text="Of the step under way.")
    rows_written = serializers.IntegerField(help_text="Of facts.rows, while the rows are imported.")
    error = serializers.DictField(allow_null=True, help_text="Code and message, where it failed.")
    facts = FactsSerializer(
        help_text="While the status is reading: of the file's beginning, without the numbers of rows."
    )
    mapping = ColumnSerializer(many=True)
    dataset_version = serializers.CharField(allow_null=True, help_text="Once imported.")
    created_at = serializers.DateTimeField()


class DatasetVersionSerializer(serializers.Serializer[Any]):
    """One immutable version of a dataset."""

    id = serializers.CharField()
    object = serializers.CharField(default="dataset_version")
    dataset = serializers.CharField(help_text="Of rows that a batch holds: not one of the library.")
    number = serializers.IntegerField()
    row_count = serializers.IntegerField()
    problem_count = serializers.IntegerField(help_text="Rows of the file that could not be used.")
    columns = ColumnSerializer(many=True)
    kind = serializers.ChoiceField(choices=[choice.value for choice in VersionKind])
    note = serializers.CharField(allow_blank=True)
    byte_count = serializers.IntegerField(allow_null=True, help_text="Size of the values.")
    rows_deleted_at = serializers.DateTimeField(
        allow_null=True, help_text="When retention took the rows; null while they are there."
    )
    created_at = serializers.DateTimeField()


class DatasetSerializer(serializers.Serializer[Any]):
    """A dataset."""

    id = serializers.CharField()
    object = serializers.CharField(default="dataset")
    name = serializers.CharField()
    latest_number = serializers.IntegerField()
    latest_row_count = serializers.IntegerField()
    latest_byte_count = serializers.IntegerField(allow_null=True)
    latest_version = DatasetVersionSerializer(required=False, help_text="With expand[]=latest_version.")
    archived_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class DifferenceSerializer(serializers.Serializer[Any]):
    """How many rows differ from one version to another."""

    object = serializers.CharField(default="dataset_difference")
    added = serializers.IntegerField()
    changed = serializers.IntegerField()
    removed = serializers.IntegerField()


class DatasetRowSerializer(serializers.Serializer[Any]):
    """One row of a version."""

    id = serializers.CharField()
    object = serializers.CharField(default="dataset_row")
    number = serializers.IntegerField()
    variables = serializers.DictField()
    expected = serializers.CharField(allow_null=True)
    metadata = serializers.DictField()


def to_mapping(item: dict[str, Any]) -> ColumnMapping:
    """A validated ``ColumnSerializer`` item as the services take it."""
    return ColumnMapping(item["column"], item["role"], item.get("name") or item["column"], item["type"])


def to_new_column(item: dict[str, Any]) -> ColumnMapping:
    """A validated ``NewColumnSerializer`` item as the services take it."""
    return ColumnMapping(item["name"], item["role"], item["name"], item["type"])


def to_row(item: dict[str, Any]) -> RowValues:
    """A validated ``RowValuesSerializer`` item as the services take it."""
    return RowValues(dict(item["variables"]), item.get("expected"), dict(item.get("metadata", {})))


def dataset_json(dataset: Dataset) -> dict[str, Any]:
    """A dataset of ``queries.list_datasets``."""
    return {
        "id": dataset.public_id,
        "object": "dataset",
        "name": dataset.name,
        "latest_number": getattr(dataset, "latest_number", None),
        "latest_row_count": getattr(dataset, "latest_row_count", None),
        "latest_byte_count": getattr(dataset, "latest_byte_count", None),
        "archived_at": dataset.archived_at,
        "created_at": dataset.created_at,
    }


def version_json(version: DatasetVersion) -> dict[str, Any]:
    """A version."""
    return {
        "id": version.public_id,
        "object": "dataset_version",
        "dataset": ids.encode(Dataset.PREFIX, version.dataset_id),
        "number": version.number,
        "row_count": version.row_count,
        "problem_count": version.problem_count,
        "columns": version.columns,
        "kind": version.kind,
        "note": version.note,
        "byte_count": version.byte_count,
        "rows_deleted_at": version.rows_deleted_at,
        "created_at": version.created_at,
    }


def difference_json(difference: Difference) -> dict[str, Any]:
    """What differs between two versions."""
    return {
        "object": "dataset_difference",
        "added": difference.added,
        "changed": difference.changed,
        "removed": difference.removed,
    }


def row_json(row: DatasetRow) -> dict[str, Any]:
    """A row."""
    return {
        "id": row.public_id,
        "object": "dataset_row",
        "number": row.number,
        "variables": row.variables,
        "expected": row.expected,
        "metadata": row.metadata,
    }


def error_of(dataset_import: DatasetImport) -> dict[str, str] | None:
    """Why a file could not be imported, if it couldn't."""
    if not dataset_import.error_code:
        return None
    return {"code": dataset_import.error_code, "message": dataset_import.error_message}


def import_json(dataset_import: DatasetImport) -> dict[str, Any]:
    """An uploaded file."""
    version = dataset_import.version
    return {
        "id": dataset_import.public_id,
        "object": "dataset_import",
        "file_name": dataset_import.file_name,
        "size": dataset_import.size,
        "status": ImportState.IMPORTED if version else dataset_import.state,
        "bytes_read": dataset_import.bytes_read,
        "rows_written": dataset_import.rows_written,
        "error": error_of(dataset_import),
        "facts": asdict(queries.import_facts(dataset_import)),
        "mapping": [item.as_json() for item in queries.import_mapping(dataset_import)],
        "dataset_version": version.public_id if version else None,
        "created_at": dataset_import.created_at,
    }
