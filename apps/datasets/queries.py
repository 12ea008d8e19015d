"""Reads of datasets. Call inside an organization's scope."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from apps.core import files
from apps.core.errors import NotFound
from apps.core.models import StoredFile, find
from apps.datasets.mapping import ColumnMapping
from apps.datasets.models import Dataset, DatasetImport, DatasetRow, DatasetVersion
from apps.datasets.parsing import BadRow, FileFacts, GoodRow, read_rows
from apps.tenants.models import Project

PREVIEW_ROWS = 20


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows of an uploaded file as its facts read them, and how many of those are bad."""

    columns: tuple[str, ...]
    rows: tuple[GoodRow | BadRow, ...]

    @property
    def bad(self) -> int:
        return sum(isinstance(row, BadRow) for row in self.rows)


def list_datasets(project: Project, search: str = "") -> QuerySet[Dataset]:
    """The project's datasets, newest first, each with the number, size and time of its latest version."""
    latest = DatasetVersion.objects.filter(dataset=OuterRef("pk")).order_by("-number")
    datasets = Dataset.objects.filter(project=project).annotate(
        latest_number=Subquery(latest.values("number")[:1]),
        latest_row_count=Subquery(latest.values("row_count")[:1]),
        latest_at=Subquery(latest.values("created_at")[:1]),
    )
    return datasets.filter(name__icontains=search) if search else datasets


def get_dataset(project: Project, public_id: str) -> Dataset:
    """One dataset of the project. Raises NotFound."""
    dataset = find(list_datasets(project), public_id)
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
    """One version of one of the project's datasets. Raises NotFound."""
    versions = DatasetVersion.objects.filter(dataset__project=project).select_related("dataset")
    version = find(versions, public_id)
    if version is None:
        raise NotFound("There is no such dataset version.", code="dataset_version_not_found")
    return version


def list_versions(dataset: Dataset) -> QuerySet[DatasetVersion]:
    """A dataset's versions, newest first."""
    return DatasetVersion.objects.filter(dataset=dataset).order_by("-number")


def project_versions(project: Project) -> QuerySet[DatasetVersion]:
    """The latest version of every dataset of the project, by name: what a batch may be started on."""
    latest = (
        DatasetVersion.objects.filter(dataset=OuterRef("dataset")).order_by("-number").values("number")[:1]
    )
    versions = DatasetVersion.objects.filter(dataset__project=project, number=Subquery(latest))
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
