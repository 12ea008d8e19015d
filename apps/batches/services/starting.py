"""Starting a batch. Its rows are written as they are taken, so a start costs the same for any number."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from apps.audit.actor import Actor
from apps.audit.services import record
from apps.batches.matching import guess_field
from apps.batches.models import COMPLETION_WINDOW, LARGEST_CONCURRENCY, BatchJob, JobStatus
from apps.batches.planning import DEFAULT_OUTPUT_TOKENS, Plan, most_output_tokens, plan_batch
from apps.batches.services.ringing import ring_pump
from apps.core.errors import InvalidRequest
from apps.datasets.models import DatasetVersion
from apps.runs.types import PromptReference
from apps.tenants.models import Project

DEFAULT_CONCURRENCY: Final = 16


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How a batch runs. `cost_cap` in USD over the whole job; `row_limit` takes the first rows only."""

    name: str = ""
    model: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    concurrency: int = DEFAULT_CONCURRENCY
    row_limit: int | None = None
    cost_cap: Decimal | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    livemode: bool = True
    api_key_id: UUID | None = None


def start_batch(
    *,
    actor: Actor,
    project: Project,
    prompt: PromptReference,
    dataset_version: DatasetVersion,
    options: BatchOptions | None = None,
) -> BatchJob:
    """Start a prompt, fixed to the version that the reference means now, over a dataset version's rows.

    Rows that lack a required variable fail one by one; if all lack it the batch is refused.
    Raises NotFound and InvalidRequest as `plan_batch` does, InvalidRequest ``price_unknown`` for a cap where
    no price is known, ``cost_cap_invalid``, ``concurrency_invalid``.
    """
    options = options or BatchOptions()
    plan = plan_batch(
        project=project,
        prompt=prompt,
        dataset_version=dataset_version,
        model=options.model,
        parameters=options.parameters,
        row_limit=options.row_limit,
        livemode=options.livemode,
    )
    _check_options(options, plan)
    job = _create_job(actor, project, prompt, plan, options)
    _record_start(actor, job)
    ring_pump()
    return job


def _record_start(actor: Actor, job: BatchJob) -> None:
    record(
        actor=actor,
        action="batch.started",
        target=job,
        organization_id=job.organization_id,
        changes={
            "prompt": (None, f"{job.prompt_name} v{job.version_number}"),
            "rows": (None, job.total),
            "model": (None, job.model),
            "cost_cap": (None, None if job.cost_cap is None else str(job.cost_cap)),
        },
    )


def _check_options(options: BatchOptions, plan: Plan) -> None:
    if not 1 <= options.concurrency <= LARGEST_CONCURRENCY:
        message = f"Concurrency is a number from 1 to {LARGEST_CONCURRENCY}."
        raise InvalidRequest(message, code="concurrency_invalid", param="concurrency")
    if options.cost_cap is None:
        return
    if options.cost_cap <= 0:
        raise InvalidRequest("The cost cap is an amount above 0.", code="cost_cap_invalid", param="cost_cap")
    if plan.estimate.status == "unknown":
        message = f"No price is known for {plan.model.reference}, so a cost cap could not be kept."
        raise InvalidRequest(message, code="price_unknown", param="cost_cap")


def _create_job(
    actor: Actor, project: Project, prompt: PromptReference, plan: Plan, options: BatchOptions
) -> BatchJob:
    now = timezone.now()
    return BatchJob.objects.create(
        organization_id=project.organization_id,
        project=project,
        name=options.name or f"{plan.prompt.name} v{plan.prompt.number}, {now:%Y-%m-%d %H:%M}",
        prompt_id=plan.prompt.prompt_id,
        prompt_version_id=plan.prompt.version_id,
        dataset_version=plan.dataset_version,
        prompt_name=plan.prompt.name,
        version_number=plan.prompt.number,
        label=prompt.label or "",
        model=plan.model.reference,
        parameters=_parameters(plan, options),
        match_field=guess_field(plan.prompt.output_schema, expected_column(plan.dataset_version)),
        metadata=options.metadata,
        status=JobStatus.IN_PROGRESS,
        concurrency=options.concurrency,
        livemode=options.livemode,
        sandbox=plan.model.sandbox,
        api_key_id=options.api_key_id,
        started_by_kind=actor.kind,
        started_by_id=actor.id,
        started_by_name=actor.display,
        source_rows=plan.rows,
        total=plan.rows,
        pending=plan.rows,
        cost_cap=options.cost_cap,
        estimate=plan.estimate.as_json(),
        expires_at=now + COMPLETION_WINDOW,
    )


def _parameters(plan: Plan, options: BatchOptions) -> dict[str, Any]:
    """The job's own parameters; a cost cap needs a limit of the answers' length, which is sent along."""
    limit = most_output_tokens({**plan.prompt.parameters, **options.parameters})
    if options.cost_cap is None or limit is not None:
        return options.parameters
    return {**options.parameters, "max_tokens": DEFAULT_OUTPUT_TOKENS}


def expected_column(dataset_version: DatasetVersion) -> str:
    """The name of the column that holds the expected values, "" without one."""
    names: list[Any] = [
        column["name"] for column in dataset_version.columns if column.get("role") == "expected"
    ]
    return str(names[0]) if names else ""
