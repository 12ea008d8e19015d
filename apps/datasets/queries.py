"""Reads of datasets. Call inside an organization's scope."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Func, IntegerField, OuterRef, Q, QuerySet, Subquery

from apps.core import files
from apps.core.errors import NotFound
from apps.core.models import StoredFile, find
from apps.datasets.mapping import ColumnMapping
from apps.datasets.models import (
    Dataset,
    DatasetChange,
    DatasetDraft,
    DatasetImport,
    DatasetRow,
    DatasetVersion,
    Origin,
)
from apps.datasets.parsing import BadRow, FileFacts, GoodRow, read_rows
from apps.tenants.models import Project

PREVIEW_ROWS = 20


class _JsonLength(Func):
    function = "jsonb_array_length"
    output_field = IntegerField()


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft and how many rows it adds, changes and removes."""

    row: DatasetDraft
    added: int
    changed: int
    removed: int

    @property
    def total(self) -> int:
        return self.added + self.changed + self.removed


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows of an uploaded file as its facts read them, and how many of those are bad."""

    columns: tuple[str, ...]
    rows: tuple[GoodRow | BadRow, ...]

    @property
    def bad(self) -> int:
        return sum(isinstance(row, BadRow) for row in self.rows)


def list_datasets(project: Project, search: str = "", *, archived: bool | None = False) -> QuerySet[Dataset]:
    """The datasets of the project's library, newest first, each with facts of its latest version.

    `archived` None gives both kinds. A dataset without any version is still being made.
    """
    latest = DatasetVersion.objects.filter(dataset=OuterRef("pk")).order_by("-number")
    datasets = library(project).annotate(
        latest_number=Subquery(latest.values("number")[:1]),
        latest_row_count=Subquery(latest.values("row_count")[:1]),
        latest_column_count=Subquery(
            latest.annotate(count=_JsonLength("columns")).values("count")[:1], IntegerField()
        ),
        latest_byte_count=Subquery(latest.values("byte_count")[:1]),
        latest_at=Subquery(latest.values("created_at")[:1]),
    )
    if archived is not None:
        datasets = datasets.filter(archived_at__isnull=not archived)
    return datasets.filter(name__icontains=search) if search else datasets


def library(project: Project) -> QuerySet[Dataset]:
    """The project's datasets without those that only hold a batch's rows, archived or not."""
    return Dataset.objects.filter(project=project, origin=Origin.LIBRARY, deleted_at__isnull=True)


def get_dataset(project: Project, public_id: str) -> Dataset:
    """One dataset of the project's library, archived or not. Raises NotFound."""
    dataset = find(list_datasets(project, archived=None), public_id)
    if dataset is None:
        raise NotFound("There is no such dataset.", code="dataset_not_found")
    return dataset


def get_import(project: Project, public_id: str) -> DatasetImport:
    """One uploaded file of the project. Raises NotFound."""
    imports = DatasetImport.objects.filter(project=project).select_related("version__dataset")
    found = find(imports, public_id)
    if found is None:
        raise NotFound("There is no such import.", code="dataset_import_not_found")
    return found


def get_version(project: Project, public_id: str) -> DatasetVersion:
    """One version of one of the project's datasets, or the rows of a batch. Raises NotFound."""
    versions = DatasetVersion.objects.filter(dataset__project=project, dataset__deleted_at__isnull=True)
    whole = versions.exclude(dataset__origin=Origin.IMPORT).select_related("dataset")
    version = find(whole, public_id)
    if version is None:
        raise NotFound("There is no such dataset version.", code="dataset_version_not_found")
    return version


def list_versions(dataset: Dataset) -> QuerySet[DatasetVersion]:
    """A dataset's versions with their makers, newest first."""
    versions = DatasetVersion.objects.filter(dataset=dataset).select_related("created_by")
    return versions.order_by("-number")


def get_numbered_version(dataset: Dataset, number: int | None) -> DatasetVersion:
    """One version of a dataset, the latest for None. Raises NotFound."""
    versions = list_versions(dataset)
    found = versions.first() if number is None else versions.filter(number=number).first()
    if found is None:
        raise NotFound("The dataset has no such version.", code="dataset_version_not_found")
    found.dataset = dataset
    return found


def get_draft(dataset: Dataset) -> Draft | None:
    """The dataset's draft with the number of its edits, if there is one."""
    row = DatasetDraft.objects.select_related("base", "updated_by").filter(dataset=dataset).first()
    if row is None:
        return None
    added, removed = Q(sequence__gt=0), Q(sequence=0, removed=True)
    counts = DatasetChange.objects.filter(draft=row).aggregate(
        all_added=Count("id", filter=added),
        all_removed=Count("id", filter=removed),
        all_changed=Count("id", filter=~added & ~removed),
    )
    return Draft(row, counts["all_added"], counts["all_changed"], counts["all_removed"])


def draft_changes(draft: DatasetDraft, above: int, upto: int) -> list[DatasetChange]:
    """The edits at the places `above` + 1 to `upto`; those before the first row count to it."""
    lowest = 0 if above == 0 else above + 1
    changes = DatasetChange.objects.filter(draft=draft, place__gte=lowest, place__lte=upto)
    return list(changes.order_by("place", "sequence"))


def get_row(version: DatasetVersion, number: int) -> DatasetRow:
    """One row of a version. Raises NotFound."""
    row = DatasetRow.objects.filter(dataset_version=version, number=number).first()
    if row is None:
        raise NotFound("There is no such row.", code="row_not_found")
    return row


def get_change(draft: DatasetDraft | None, place: int, sequence: int) -> DatasetChange | None:
    """The edit of one row of a draft, if there is one."""
    if draft is None:
        return None
    return DatasetChange.objects.filter(draft=draft, place=place, sequence=sequence).first()


def project_versions(project: Project) -> QuerySet[DatasetVersion]:
    """The latest version of every dataset of the project, by name: what a batch may be started on."""
    latest = (
        DatasetVersion.objects.filter(dataset=OuterRef("dataset")).order_by("-number").values("number")[:1]
    )
    versions = DatasetVersion.objects.filter(
        dataset__project=project,
        dataset__origin=Origin.LIBRARY,
        dataset__archived_at__isnull=True,
        dataset__deleted_at__isnull=True,
        number=Subquery(latest),
    )
    return versions.select_related("dataset").order_by("dataset__name")


def list_rows(version: DatasetVersion) -> QuerySet[DatasetRow]:
    """A version's rows in the order of the file."""
    return DatasetRow.objects.filter(dataset_version=version).order_by("number")


def stored_file(file_id: UUID | None) -> StoredFile | None:
    """A stored file of the organization, none once it has expired."""
    return StoredFile.objects.filter(pk=file_id).first() if file_id else None


def import_facts(dataset_import: DatasetImport) -> FileFacts:
    """What the uploaded file was recognised as, or set to by a person."""
    lists = {name: tuple(dataset_import.facts.get(name, ())) for name in ("columns", "header")}
    return FileFacts(**dataset_import.facts | lists)


def import_mapping(dataset_import: DatasetImport) -> tuple[ColumnMapping, ...]:
    """The proposed or chosen mapping of the uploaded file."""
    return tuple(ColumnMapping(**item) for item in dataset_import.mapping)


def import_chunks(dataset_import: DatasetImport) -> Iterator[bytes]:
    """The uploaded file's bytes. Raises NotFound once the file has expired."""
    stored = stored_file(dataset_import.file_id)
    if stored is None:
        raise NotFound("The uploaded file has expired. Upload it again.", code="file_expired")
    return files.read(stored)


def preview(dataset_import: DatasetImport) -> Preview:
    """The first rows of an uploaded file."""
    facts = import_facts(dataset_import)
    rows = itertools.islice(read_rows(import_chunks(dataset_import), facts), PREVIEW_ROWS)
    return Preview(facts.columns, tuple(rows))


def latest_versions(datasets: Sequence[Dataset]) -> QuerySet[DatasetVersion]:
    """The newest version of each dataset, in one query."""
    versions = DatasetVersion.objects.filter(dataset__in=[each.pk for each in datasets])
    return versions.order_by("dataset_id", "-number").distinct("dataset_id")
