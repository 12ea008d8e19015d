"""Starting a batch. Its rows are written as they are taken, so a start costs the same for any number."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from apps.audit.actor import Actor
from apps.audit.services import record
from apps.batches.estimating import DEFAULT_OUTPUT_TOKENS, find_model, most_output_tokens
from apps.batches.matching import guess_field
from apps.batches.models import BatchJob, BatchVariant, Delivery, JobStatus, Priority, Source
from apps.batches.outlook import outlook
from apps.batches.planning import Plan, PlannedVariant, VariantChoice, plan_batch
from apps.batches.preparation_models import RowPreparation
from apps.batches.provider_batches.eligibility import demand_offer
from apps.batches.provider_batches.pricing import batch_estimate
from apps.batches.rules import RerunRule
from apps.batches.services.changing import check_concurrency, check_priority
from apps.batches.services.ringing import ring_pump
from apps.batches.services.telling import tell
from apps.batches.services.timing import window_of
from apps.batches.work import ChunkedWork, RowWork, Work, as_json
from apps.core.errors import InvalidRequest
from apps.datasets.models import DatasetVersion, Origin
from apps.runs.types import PromptReference
from apps.tenants.models import Project

DEFAULT_CONCURRENCY: Final = 16


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How a batch runs. `cost_cap` in USD over the whole job; `row_limit` takes the first rows only, and
    `repeat_to` goes through them until so many have run.

    `sample_rows` are run first, then the batch pauses. `start_at` None is at once, `deadline` None a day
    after the start. `deduplicate` answers equal rows once. `notify` mails the person who starts it when it
    ends or pauses. `rerun_rule` is run once it has ended. `delivery` is how rows reach the provider.
    """

    name: str = ""
    model: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    concurrency: int = DEFAULT_CONCURRENCY
    row_limit: int | None = None
    repeat_to: int | None = None
    cost_cap: Decimal | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    livemode: bool = True
    api_key_id: UUID | None = None
    priority: int = Priority.NORMAL
    start_at: datetime | None = None
    deadline: datetime | None = None
    sample_rows: int | None = None
    deduplicate: bool = False
    notify: bool = False
    rerun_rule: RerunRule | None = None
    variants: tuple[VariantChoice, ...] = ()
    work: Work = field(default_factory=RowWork)
    delivery: str = Delivery.DIRECT


def start_batch(
    *,
    actor: Actor,
    project: Project,
    prompt: PromptReference,
    dataset_version: DatasetVersion,
    options: BatchOptions | None = None,
    waiting: BatchJob | None = None,
) -> BatchJob:
    """Start a prompt, fixed to the version that the reference means now, over a dataset version's rows.

    Rows that lack a required variable fail one by one; if all lack it the batch is refused. `waiting` is the
    job, validating and locked, that has waited for these rows (`create_waiting`) and starts now.
    Raises NotFound and InvalidRequest as `plan_batch` does, InvalidRequest ``price_unknown`` for a cap where
    no price is known, ``cost_cap_invalid``, ``concurrency_invalid``, ``priority_invalid``,
    ``sample_rows_invalid``, ``start_at_invalid``, ``deadline_invalid``, ``row_choice_invalid``.
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
        variants=options.variants,
        work=options.work,
        repeat_to=options.repeat_to,
    )
    _check_options(project, options, plan)
    _check_delivery(project, options, plan)
    job = _made_job(actor, project, plan, options)
    if waiting is None:
        job.save(force_insert=True)
    else:
        _take_place(job, waiting)
    _add_variants(job, plan, options)
    _record_start(actor, job)
    if job.status == JobStatus.SCHEDULED:
        tell("scheduled", job, actor)
        return job
    tell("started", job, actor)
    ring_pump()
    return job


def create_waiting(
    *,
    actor: Actor,
    project: Project,
    prompt: PromptReference,
    dataset_version: DatasetVersion,
    options: BatchOptions,
) -> BatchJob:
    """A validating job without rows: `dataset_version` is empty until they are there.

    What doesn't depend on the rows is checked now. Raises as `start_batch` does.
    """
    plan = plan_batch(
        project=project,
        prompt=prompt,
        dataset_version=dataset_version,
        model=options.model,
        parameters=options.parameters,
        livemode=options.livemode,
        variants=options.variants,
        work=options.work,
        rows_follow=True,
    )
    _check_options(project, options, plan)
    _check_delivery(project, options, plan)
    job = _made_job(actor, project, plan, options)
    job.status, job.sample_rows, job.claim_limit = JobStatus.VALIDATING, None, None
    job.save(force_insert=True)
    record(
        actor=actor,
        action="batch.created",
        target=job,
        organization_id=job.organization_id,
        changes={"prompt": (None, f"{job.prompt_name} v{job.version_number}"), "model": (None, job.model)},
    )
    return job


def _take_place(job: BatchJob, waiting: BatchJob) -> None:
    """Save a job as the one that has waited for its rows."""
    job.pk, job.created_at = waiting.pk, waiting.created_at
    job.name, job.label = waiting.name, waiting.label
    job.rerun_of_id, job.rerun_choice = waiting.rerun_of_id, waiting.rerun_choice
    job.save(force_update=True)


def _record_start(actor: Actor, job: BatchJob) -> None:
    record(
        actor=actor,
        action="batch.scheduled" if job.status == JobStatus.SCHEDULED else "batch.started",
        target=job,
        organization_id=job.organization_id,
        changes={
            "prompt": (None, f"{job.prompt_name} v{job.version_number}"),
            "rows": (None, job.total),
            "model": (None, job.model),
            "cost_cap": (None, None if job.cost_cap is None else str(job.cost_cap)),
            "delivery": (None, job.delivery),
        },
    )


def _check_rule(project: Project, rule: RerunRule, options: BatchOptions) -> None:
    """What a rule names is there now: better refused at the start than told at the end."""
    rule.check()
    if not rule.model:
        return
    model = find_model(project.id, rule.model, livemode=options.livemode)
    if options.cost_cap is not None and model.price(1, 1).status == "unknown":
        message = f"No price is known for {model.reference}, so the cost cap could not be kept at the end."
        raise InvalidRequest(message, code="price_unknown", param="rerun_rule.model")


def _check_options(project: Project, options: BatchOptions, plan: Plan) -> None:
    check_concurrency(options.concurrency)
    check_priority(options.priority)
    if options.sample_rows is not None and options.sample_rows < 1:
        message = "A sample has at least one row."
        raise InvalidRequest(message, code="sample_rows_invalid", param="sample_rows")
    if options.rerun_rule is not None:
        _check_rule(project, options.rerun_rule, options)
    if options.cost_cap is None:
        return
    if options.cost_cap <= 0:
        raise InvalidRequest("The cost cap is an amount above 0.", code="cost_cap_invalid", param="cost_cap")
    if plan.estimate.status == "unknown":
        message = f"No price is known for {plan.model.reference}, so a cost cap could not be kept."
        raise InvalidRequest(message, code="price_unknown", param="cost_cap")


def _check_delivery(project: Project, options: BatchOptions, plan: Plan) -> None:
    if options.delivery == Delivery.DIRECT:
        return
    if options.delivery not in Delivery.values:
        message = f"The delivery is one of {', '.join(Delivery.values)}."
        raise InvalidRequest(message, code="delivery_unavailable", param="delivery")
    demand_offer(project.id, plan, deduplicate=options.deduplicate)
    if options.cost_cap is not None and batch_estimate(plan.variants).status == "unknown":
        message = "No batch price is known for the model, so a cost cap could not be kept."
        raise InvalidRequest(message, code="price_unknown", param="cost_cap")


def _made_job(actor: Actor, project: Project, plan: Plan, options: BatchOptions) -> BatchJob:
    """The job of a plan, not yet saved."""
    now = timezone.now()
    window = window_of(options.start_at, options.deadline, now, longer=options.delivery != Delivery.DIRECT)
    return BatchJob(
        organization_id=project.organization_id,
        project=project,
        name=options.name or f"{plan.prompt.name} v{plan.prompt.number}, {now:%Y-%m-%d %H:%M}",
        prompt_id=plan.prompt.prompt_id,
        prompt_version_id=plan.prompt.version_id,
        dataset_version=plan.dataset_version,
        prompt_name=plan.prompt.name,
        version_number=plan.prompt.number,
        label=plan.variants[0].label,
        model=plan.model.reference,
        parameters=_parameters(plan.variants[0], options),
        match_field=guess_field(plan.prompt.output_schema, expected_column(plan.dataset_version)),
        metadata=options.metadata,
        source=source_kind(plan.dataset_version),
        status=JobStatus.SCHEDULED if window.start_at else JobStatus.IN_PROGRESS,
        start_at=window.start_at,
        expires_at=window.expires_at,
        priority=options.priority,
        deduplicate=options.deduplicate,
        notify=options.notify,
        rerun_rule=options.rerun_rule.as_json() if options.rerun_rule else {},
        **_sample(plan, options),
        **_rerun(plan.dataset_version),
        concurrency=options.concurrency,
        livemode=options.livemode,
        sandbox=plan.model.sandbox,
        api_key_id=options.api_key_id,
        started_by_kind=actor.kind,
        started_by_id=actor.id,
        started_by_name=actor.display,
        source_rows=plan.source_rows,
        total=plan.total,
        pending=plan.total,
        variant_count=len(plan.variants),
        work=as_json(_bounded(plan, options)),
        cost_cap=options.cost_cap,
        delivery=options.delivery,
        estimate=_estimate(plan, options),
    )


def _estimate(plan: Plan, options: BatchOptions) -> dict[str, Any]:
    """What the rows will cost as they are delivered; through a provider's batch beside the direct cost."""
    direct = outlook(plan, deduplicate=options.deduplicate).estimate.as_json()
    if options.delivery == Delivery.DIRECT:
        return direct
    return {**batch_estimate(plan.variants).as_json(), "direct": direct}


def _rerun(dataset_version: DatasetVersion) -> dict[str, Any]:
    """Which batch the rows are of, where they were taken from one."""
    if source_kind(dataset_version) != Source.BATCH:
        return {}
    taken = RowPreparation.objects.filter(dataset_version=dataset_version, source__kind=Source.BATCH).first()
    if taken is None:
        return {}
    return {"rerun_of_id": UUID(taken.source["batch"]), "rerun_choice": taken.source["where"]}


def _sample(plan: Plan, options: BatchOptions) -> dict[str, int]:
    """Where claims end at first; a sample of all rows is none."""
    if options.sample_rows is None or options.sample_rows >= plan.rows:
        return {}
    return {"sample_rows": options.sample_rows, "claim_limit": options.sample_rows * len(plan.variants)}


def _parameters(variant: PlannedVariant, options: BatchOptions) -> dict[str, Any]:
    """The variant's own parameters; a cost cap needs a limit of the answers' length, which is sent along."""
    limit = most_output_tokens({**variant.prompt.parameters, **variant.parameters})
    if options.cost_cap is None or limit is not None:
        return variant.parameters
    return {**variant.parameters, "max_tokens": DEFAULT_OUTPUT_TOKENS}


def _bounded(plan: Plan, options: BatchOptions) -> Work:
    """The work as the job keeps it: under a cap the last of several calls needs a limit as well."""
    if options.cost_cap is None or plan.reduce is None or not isinstance(plan.work, ChunkedWork):
        return plan.work
    told = plan.work.reduce
    if told.max_tokens or most_output_tokens(plan.reduce.parameters):
        return plan.work
    return replace(plan.work, reduce=replace(told, max_tokens=DEFAULT_OUTPUT_TOKENS))


def _add_variants(job: BatchJob, plan: Plan, options: BatchOptions) -> None:
    """One variant is the job itself."""
    if len(plan.variants) == 1:
        return
    expected = expected_column(plan.dataset_version)
    BatchVariant.objects.bulk_create(
        BatchVariant(
            organization_id=job.organization_id,
            batch=job,
            position=position,
            prompt_version_id=variant.prompt.version_id,
            version_number=variant.prompt.number,
            label=variant.label,
            model=variant.model.reference,
            parameters=_parameters(variant, options),
            match_field=guess_field(variant.prompt.output_schema, expected),
        )
        for position, variant in enumerate(plan.variants)
    )


def source_kind(dataset_version: DatasetVersion) -> str:
    """Where the rows of a dataset version come from, as a job tells it."""
    if dataset_version.dataset.origin == Origin.LIBRARY:
        return Source.DATASET
    return str(dataset_version.layout.get("from", Source.UPLOAD))


def expected_column(dataset_version: DatasetVersion) -> str:
    """The name of the column that holds the expected values, "" without one."""
    names: list[Any] = [
        column["name"] for column in dataset_version.columns if column.get("role") == "expected"
    ]
    return str(names[0]) if names else ""
