"""Rows of batches."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from apps.audit.actor import SYSTEM, Actor
from apps.batches.models import BatchItem, BatchJob, BatchVariant
from apps.batches.option_records import options_as_json
from apps.batches.preparation_models import RowPreparation
from apps.batches.provider_models import ProviderBatch
from apps.batches.row_sources import RunsSource
from apps.batches.services import start_batch
from apps.batches.services.starting import BatchOptions
from apps.batches.stream_models import Stream
from apps.core.models import TenantModel
from apps.core.scope import organization_scope
from apps.datasets import services as dataset_services
from apps.datasets.mapping import RowValues
from apps.prompts.types import VersionContent
from apps.runs.types import PromptReference
from apps.tenants.models import Project
from tests.factories.datasets import make_dataset_version
from tests.factories.prompts import make_content, make_prompt
from tests.factories.registry import numbers, tenant_factory
from tests.factories.tenants import make_project

SENTIMENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"sentiment": {"enum": ["Positive", "Negative"]}, "reason": {"type": "string"}},
    "required": ["sentiment", "reason"],
    "additionalProperties": False,
}


def make_batch(
    *,
    project: Project | None = None,
    rows: int | Sequence[RowValues] = 3,
    content: VersionContent | None = None,
    options: BatchOptions | None = None,
    actor: Actor = SYSTEM,
) -> BatchJob:
    """A started batch on the sandbox; nothing runs it until a pump does."""
    project = project or make_project()
    prompt = make_prompt(project=project, content=content or make_content(output_schema=SENTIMENT_SCHEMA))
    values = (
        [RowValues({"review": f"Great product {n}."}, "Positive", {"id": n}) for n in range(1, rows + 1)]
        if isinstance(rows, int)
        else rows
    )
    version = make_dataset_version(project=project, rows=values)
    with organization_scope(project.organization_id):
        return start_batch(
            actor=actor,
            project=project,
            prompt=PromptReference(prompt.name, number=1),
            dataset_version=version,
            options=options,
        )


def make_preparation(*, project: Project) -> RowPreparation:
    """Rows that are taken from earlier runs, and are not there yet."""
    with organization_scope(project.organization_id):
        version = dataset_services.create_batch_rows(
            project=project, name="Earlier runs", source="runs", actor=SYSTEM
        )
        return RowPreparation.objects.create(
            organization_id=project.organization_id,
            project=project,
            source=RunsSource().as_json(),
            dataset_version=version,
            touched_at=timezone.now(),
        )


@tenant_factory("batches.RowPreparation")
def _preparation(project: Project) -> TenantModel:
    return make_preparation(project=project)


@tenant_factory("batches.BatchJob")
def _batch_job(project: Project) -> TenantModel:
    return make_batch(project=project)


@tenant_factory("batches.BatchItem")
def _batch_item(project: Project) -> TenantModel:
    return add_items(make_batch(project=project))[0]


@tenant_factory("batches.BatchVariant")
def _batch_variant(project: Project) -> TenantModel:
    job = make_batch(project=project)
    version_id = job.prompt_version_id
    assert version_id is not None
    return BatchVariant.objects.create(
        organization_id=job.organization_id,
        batch=job,
        position=0,
        prompt_version_id=version_id,
        version_number=job.version_number,
        model=job.model,
    )


@tenant_factory("batches.ProviderBatch")
def _provider_batch(project: Project) -> TenantModel:
    job = make_batch(project=project)
    return ProviderBatch.objects.create(
        organization_id=job.organization_id, batch=job, connection="openai", model="openai/gpt-4o-mini"
    )


def add_items(job: BatchJob) -> list[BatchItem]:
    """Write all rows of a job as if they had been taken and given back. Call inside the scope."""
    first = job.next_number
    job.next_number = job.total + 1
    job.save(update_fields=["next_number"])
    return BatchItem.objects.bulk_create(
        BatchItem(organization_id=job.organization_id, batch=job, number=number)
        for number in range(first, job.total + 1)
    )


@tenant_factory("batches.Stream")
def _stream(project: Project) -> TenantModel:
    return Stream.objects.create(
        organization_id=project.organization_id,
        project=project,
        name=f"stream-{next(numbers)}",
        prompt_name="support/sentiment",
        options=options_as_json(PromptReference("support/sentiment", label="production"), BatchOptions()),
        livemode=True,
    )
