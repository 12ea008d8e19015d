"""Rows of datasets."""

from collections.abc import Sequence

from apps.audit.actor import SYSTEM
from apps.core.models import TenantModel
from apps.core.scope import organization_scope
from apps.datasets import services as dataset_services
from apps.datasets.mapping import RowValues
from apps.datasets.models import DatasetChange, DatasetDraft, DatasetImport, DatasetVersion
from apps.tenants.models import Project
from tests.factories.registry import numbers, tenant_factory


def make_dataset_version(
    *, project: Project, name: str = "", rows: Sequence[RowValues] | None = None
) -> DatasetVersion:
    """A dataset version; without rows, three reviews with the variable ``review`` and an expected output."""
    texts = (("Great product.", "Positive"), ("Broke at once.", "Negative"), ("Love it.", "Positive"))
    with organization_scope(project.organization_id):
        return dataset_services.create_version(
            actor=SYSTEM,
            project=project,
            dataset_name=name or f"Dataset {next(numbers)}",
            rows=rows or [RowValues({"review": text}, expected, {}) for text, expected in texts],
        )


def make_dataset_import(
    *, project: Project, content: bytes = b"review,sentiment\nGood,Positive\nBad,Negative\n"
) -> DatasetImport:
    """An uploaded file that waits for its mapping."""
    with organization_scope(project.organization_id):
        return dataset_services.upload_file(
            actor=SYSTEM, project=project, name="reviews.csv", chunks=iter([content])
        )


@tenant_factory("datasets.DatasetVersion")
def _dataset_version(project: Project) -> TenantModel:
    return make_dataset_version(project=project)


@tenant_factory("datasets.Dataset")
def _dataset(project: Project) -> TenantModel:
    return make_dataset_version(project=project).dataset


@tenant_factory("datasets.DatasetRow")
def _dataset_row(project: Project) -> TenantModel:
    return make_dataset_version(project=project).rows.order_by("number")[0]


@tenant_factory("datasets.DatasetImport")
def _dataset_import(project: Project) -> TenantModel:
    return make_dataset_import(project=project)


def make_dataset_change(*, project: Project) -> DatasetChange:
    """A changed row in the draft of a dataset of its own."""
    version = make_dataset_version(project=project)
    with organization_scope(project.organization_id):
        return dataset_services.change_row(
            actor=SYSTEM,
            dataset=version.dataset,
            version_number=version.number,
            place=1,
            sequence=0,
            values={"review": "Changed.", "expected": "Neutral"},
            revision=0,
        )


@tenant_factory("datasets.DatasetChange")
def _dataset_change(project: Project) -> TenantModel:
    return make_dataset_change(project=project)


@tenant_factory("datasets.DatasetDraft")
def _dataset_draft(project: Project) -> TenantModel:
    draft: DatasetDraft = make_dataset_change(project=project).draft
    return draft
