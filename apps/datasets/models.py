"""Datasets: named tables of test rows, in immutable versions."""

from typing import ClassVar
from uuid import UUID

from django.db import models

from apps.core.models import TenantModel


class Dataset(TenantModel):
    """A named table of test rows in one project. Its content lies in immutable versions."""

    PREFIX: ClassVar[str] = "dst"

    project = models.ForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False, related_name="+")
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="datasets_dataset_name_unique")
        ]
        indexes = [models.Index(fields=["organization", "project", "-id"], name="datasets_dataset_list")]

    def __str__(self) -> str:
        return self.name


class DatasetVersion(TenantModel):
    """One import of a file into a dataset; numbers are gapless from 1, rows never change.

    `columns` is a list of `{"name": str, "role": "variable"|"expected"|"metadata"|"ignore", …}` in the order
    of the file. `file_id` names the uploaded original among `core.files`, `problems_file_id` a CSV of the
    rows that could not be used; both may expire on their own.
    """

    PREFIX: ClassVar[str] = "dsv"

    dataset_id: UUID
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, db_index=False, related_name="versions")
    number = models.PositiveIntegerField()
    row_count = models.PositiveIntegerField(default=0)
    columns = models.JSONField(default=list)
    file_id = models.UUIDField(null=True, blank=True)
    problem_count = models.PositiveIntegerField(default=0)
    problems_file_id = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["dataset", "number"], name="datasets_version_number_unique")
        ]
        indexes = [models.Index(fields=["organization", "dataset", "-number"], name="datasets_version_list")]

    def __str__(self) -> str:
        return f"version {self.number}"


class DatasetRow(TenantModel):
    """One row of a dataset version: values for the prompt's variables and, where known, the expected output.

    `number` counts the good rows of the file from 1. Rows are written once, by the import, and never changed.
    """

    PREFIX: ClassVar[str] = "dsi"

    dataset_version = models.ForeignKey(
        DatasetVersion, on_delete=models.CASCADE, db_index=False, related_name="rows"
    )
    number = models.PositiveIntegerField()
    variables = models.JSONField(default=dict)
    expected = models.TextField(null=True, blank=True)
    metadata = models.JSONField(default=dict)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["dataset_version", "number"], name="datasets_row_number_unique")
        ]

    def __str__(self) -> str:
        return f"row {self.number}"


class DatasetImport(TenantModel):
    """An uploaded file that waits until a person, or the API, has said what its columns are.

    `facts` is what `parsing.FileFacts` recognised, as JSON; `mapping` the proposal, or what was chosen.
    """

    PREFIX: ClassVar[str] = "dsx"

    project = models.ForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False, related_name="+")
    project_id: UUID
    file_name = models.CharField(max_length=255)
    file_id = models.UUIDField()
    size = models.PositiveIntegerField()
    facts = models.JSONField()
    mapping = models.JSONField(default=list)
    version = models.ForeignKey(
        DatasetVersion, on_delete=models.CASCADE, null=True, blank=True, db_index=False, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["organization", "project", "-id"], name="datasets_import_list")]

    def __str__(self) -> str:
        return self.file_name
