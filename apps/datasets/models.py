"""Datasets: named tables of test rows, in immutable versions."""

from typing import ClassVar
from uuid import UUID

from django.db import models

from apps.core.models import TenantModel


class Origin(models.TextChoices):
    """Where a dataset belongs. Only those of the library are listed, searched, counted and offered."""

    LIBRARY = "library", "Library"
    BATCH = "batch", "Rows of a batch"
    IMPORT = "import", "Import under way"


class Dataset(TenantModel):
    """A named table of test rows in one project. Its content lies in immutable versions.

    Rows that a batch takes from elsewhere (an upload, a request, earlier runs) lie in a dataset of their own,
    which is not in the library and ends with the batch. So do those of an import until the last one is in.
    """

    PREFIX: ClassVar[str] = "dst"

    project = models.ForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False, related_name="+")
    name = models.CharField(max_length=120)
    origin = models.CharField(
        max_length=8, choices=Origin.choices, default=Origin.LIBRARY, db_default=Origin.LIBRARY
    )
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    # Hidden at once and purged by a job; the name is given up for the public id, so that it is free again.
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=models.Q(origin=Origin.LIBRARY),
                name="datasets_dataset_library_name",
            )
        ]
        indexes = [
            models.Index(
                fields=["organization", "project", "-id"],
                condition=models.Q(origin=Origin.LIBRARY),
                name="datasets_dataset_library",
            ),
            models.Index(
                fields=["created_at"],
                condition=~models.Q(origin=Origin.LIBRARY),
                name="datasets_dataset_hidden",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class VersionKind(models.TextChoices):
    """What made a version."""

    IMPORT = "import", "Imported"
    ROWS = "rows", "Created"
    EDIT = "edit", "Edited"
    APPEND = "append", "Rows added"
    RESTORE = "restore", "Restored"
    COLUMNS = "columns", "Columns changed"


class DatasetVersion(TenantModel):
    """One state of a dataset; numbers are gapless from 1, rows never change.

    `columns` is a list of `{"column": str, "role": "variable"|"expected"|"metadata"|"ignore", "name": str,
    "type": str}` in the order of the file. `layout` says how the values came in: `format` "csv" (all values
    are text) or "jsonl", and for CSV the `header` as it stood in the file. `byte_count` is what the rows
    hold, in bytes. `file_id` names the uploaded original among `core.files`, `problems_file_id` a CSV of the
    rows that could not be used; both may expire on their own. Since `rows_deleted_at` retention has taken the
    rows; number, columns and counts stay.
    """

    PREFIX: ClassVar[str] = "dsv"

    dataset_id: UUID
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, db_index=False, related_name="versions")
    number = models.PositiveIntegerField()
    row_count = models.PositiveIntegerField(default=0)
    columns = models.JSONField(default=list)
    layout = models.JSONField(default=dict, db_default={})
    kind = models.CharField(
        max_length=10, choices=VersionKind.choices, default=VersionKind.IMPORT, db_default=VersionKind.IMPORT
    )
    note = models.CharField(max_length=200, blank=True, default="", db_default="")
    byte_count = models.PositiveBigIntegerField(null=True, blank=True)
    created_by = models.ForeignKey(
        "tenants.User", on_delete=models.SET_NULL, null=True, blank=True, db_index=False, related_name="+"
    )
    created_by_id: UUID | None
    file_id = models.UUIDField(null=True, blank=True)
    problem_count = models.PositiveIntegerField(default=0)
    problems_file_id = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    rows_deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["dataset", "number"], name="datasets_version_number_unique")
        ]
        indexes = [models.Index(fields=["organization", "dataset", "-number"], name="datasets_version_list")]

    def __str__(self) -> str:
        return f"version {self.number}"


class DatasetRow(TenantModel):
    """One row of a dataset version: values for the prompt's variables and, where known, the expected output.

    `number` counts the rows from 1. Rows are written once and never changed: a new version has copies, which
    keep the first one's id as `origin_id`. `source` is the row as it was given, as a JSON object of column
    and value, where the other fields alone would not give it back exactly ("1.50" in a column of numbers, a
    column that is ignored).
    """

    PREFIX: ClassVar[str] = "dsi"

    dataset_version = models.ForeignKey(
        DatasetVersion, on_delete=models.CASCADE, db_index=False, related_name="rows"
    )
    number = models.PositiveIntegerField()
    variables = models.JSONField(default=dict)
    expected = models.TextField(null=True, blank=True)
    metadata = models.JSONField(default=dict)
    source = models.TextField(null=True, blank=True)
    origin_id = models.UUIDField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["dataset_version", "number"], name="datasets_row_number_unique")
        ]

    def __str__(self) -> str:
        return f"row {self.number}"


class ImportState(models.TextChoices):
    """How far an uploaded file is."""

    READING = "reading", "Reading"
    WAITING = "waiting", "Waiting for its mapping"
    IMPORTING = "importing", "Importing"
    IMPORTED = "imported", "Imported"
    FAILED = "failed", "Failed"


class DatasetImport(TenantModel):
    """An uploaded file on its way to be a version: read through, mapped by a person or the API, imported.

    `facts` is what `parsing.FileFacts` recognised, as JSON; `mapping` the proposal, or what was chosen.
    `variables` are those that the proposal should find. `version` is the finished one, `staged_version` the
    one that rows are written to meanwhile, in a dataset that nobody sees; `rows_written` of its rows and
    `bytes_read` of the file stand in committed transactions, so that a killed worker's successor goes on
    behind them. `dataset_name` names the dataset that the rows are for; "" keeps them for a batch.
    """

    PREFIX: ClassVar[str] = "dsx"

    organization_id: UUID

    project = models.ForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False, related_name="+")
    project_id: UUID
    file_name = models.CharField(max_length=255)
    file_id = models.UUIDField()
    size = models.PositiveIntegerField()
    facts = models.JSONField()
    mapping = models.JSONField(default=list)
    variables = models.JSONField(default=list, db_default=[], blank=True)
    version = models.ForeignKey(
        DatasetVersion, on_delete=models.CASCADE, null=True, blank=True, db_index=False, related_name="+"
    )
    version_id: UUID | None
    state = models.CharField(
        max_length=10,
        choices=ImportState.choices,
        default=ImportState.WAITING,
        db_default=ImportState.WAITING,
    )
    dataset_name = models.CharField(max_length=120, blank=True, default="", db_default="")
    staged_version_id = models.UUIDField(null=True, blank=True)
    rows_written = models.PositiveIntegerField(default=0, db_default=0)
    bytes_read = models.PositiveBigIntegerField(default=0, db_default=0)
    error_code = models.CharField(max_length=64, blank=True, default="", db_default="")
    error_message = models.CharField(max_length=500, blank=True, default="", db_default="")
    # By value, until the version is finished: people and keys may go meanwhile.
    started_by_kind = models.CharField(max_length=10, blank=True, default="", db_default="")
    started_by_id = models.UUIDField(null=True, blank=True)
    started_by_name = models.CharField(max_length=254, blank=True, default="", db_default="")
    failures = models.PositiveSmallIntegerField(default=0, db_default=0)
    touched_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["organization", "project", "-id"], name="datasets_import_list"),
            models.Index(
                fields=["touched_at"],
                condition=models.Q(state__in=["reading", "importing"]),
                name="datasets_import_under_way",
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_imported(self) -> bool:
        """Whether the file has become a version."""
        return self.version_id is not None

    @property
    def is_under_way(self) -> bool:
        """Whether a worker reads or imports the file, or is about to."""
        return self.state in UNDER_WAY and not self.is_imported


UNDER_WAY = (ImportState.READING, ImportState.IMPORTING)


class DatasetDraft(TenantModel):
    """The edits of a dataset that wait to be published as its next version; everybody works on the same one.

    `revision` grows with every edit. It is what a second editor's publication is compared with.
    """

    PREFIX: ClassVar[str] = "dsd"

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, db_index=False, related_name="+")
    dataset_id: UUID
    base = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, db_index=False, related_name="+")
    base_id: UUID
    revision = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.ForeignKey(
        "tenants.User", on_delete=models.SET_NULL, null=True, blank=True, db_index=False, related_name="+"
    )

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["dataset"], name="datasets_draft_dataset"),
            # The target of a composite foreign key: a change can't belong to another organization's draft.
            models.UniqueConstraint(fields=["organization", "id"], name="datasets_draft_organization_id"),
        ]

    def __str__(self) -> str:
        return f"draft {self.revision}"


class DatasetChange(TenantModel):
    """One edited, added or removed row of a draft.

    `place` is a row's number in the base version. With `sequence` 0 the change is about that row; from 1 on
    it is a row that was added after it (0 stands for the beginning). `revision` is the draft's at the change.
    """

    PREFIX: ClassVar[str] = "dsc"

    draft = models.ForeignKey(DatasetDraft, on_delete=models.CASCADE, db_index=False, related_name="+")
    place = models.PositiveIntegerField()
    sequence = models.PositiveIntegerField()
    revision = models.PositiveIntegerField()
    removed = models.BooleanField(default=False)
    variables = models.JSONField(default=dict)
    expected = models.TextField(null=True, blank=True)
    metadata = models.JSONField(default=dict)
    source = models.TextField(null=True, blank=True)
    changed_by = models.ForeignKey(
        "tenants.User", on_delete=models.SET_NULL, null=True, blank=True, db_index=False, related_name="+"
    )

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["draft", "place", "sequence"], name="datasets_change_place")
        ]

    def __str__(self) -> str:
        return f"change {self.place}.{self.sequence}"
