"""Scale tests: each step is an ordinary batch, started when the one before has ended.

Whoever notices first that a batch has ended goes on: the worker that is rung, or the sweeper.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Final
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from apps.audit.actor import SYSTEM, Actor
from apps.audit.services import record
from apps.batches.models import BatchJob, StopReason
from apps.batches.planning import Plan, plan_batch
from apps.batches.scale_figures import measure_step
from apps.batches.scale_models import (
    LARGEST_STEP,
    MOST_STEPS,
    USUAL_STEPS,
    ScaleTest,
    ScaleTestStatus,
    ScaleTestStep,
    StepStatus,
)
from apps.batches.scale_queries import runs_left
from apps.batches.services.changing import check_concurrency
from apps.batches.services.starting import BatchOptions, start_batch
from apps.batches.services.stopping import cancel_batch
from apps.core.errors import Conflict, InvalidRequest, PromptsaasError, QuotaExceeded
from apps.core.logs import get_logger
from apps.core.scope import organization_scope, system_scope
from apps.datasets.models import DatasetVersion
from apps.runs.types import PromptReference
from apps.tenants.models import Project

DEFAULT_CONCURRENCY: Final = 64
OPEN: Final = (ScaleTestStatus.IN_PROGRESS, ScaleTestStatus.CANCELLING)

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ScaleTestOptions:
    """What a scale test runs. `steps` are numbers of rows, rising; the dataset's rows are gone through again
    where there are fewer. `cost_cap` in USD is for all steps together."""

    name: str = ""
    model: str = ""
    steps: Sequence[int] = USUAL_STEPS
    concurrency: int = DEFAULT_CONCURRENCY
    cost_cap: Decimal | None = None
    livemode: bool = True
    api_key_id: UUID | None = None


def plan_scale_test(
    *, project: Project, prompt: PromptReference, dataset_version: DatasetVersion, options: ScaleTestOptions
) -> Plan:
    """What all steps together would do and cost.

    Raises as `plan_batch` does, InvalidRequest ``steps_invalid``.
    """
    _check_steps(options.steps)
    return plan_batch(
        project=project,
        prompt=prompt,
        dataset_version=dataset_version,
        model=options.model,
        row_limit=max(options.steps),
        repeat_to=sum(options.steps),
        livemode=options.livemode,
    )


def start_scale_test(
    *,
    actor: Actor,
    project: Project,
    prompt: PromptReference,
    dataset_version: DatasetVersion,
    options: ScaleTestOptions,
) -> ScaleTest:
    """Start the first step; the others follow by themselves.

    Raises as `start_batch` does, InvalidRequest ``steps_invalid``, ``cost_cap_required`` for a model that
    costs money without a cap, ``price_unknown`` where no cap could be kept, QuotaExceeded where the month has
    fewer runs left than the steps have rows.
    """
    check_concurrency(options.concurrency)
    plan = plan_scale_test(project=project, prompt=prompt, dataset_version=dataset_version, options=options)
    _check_cap(options.cost_cap, plan)
    _check_quota(project, plan)
    test, steps = _create(actor, project, prompt, plan, options)
    record(
        actor=actor,
        action="scale_test.started",
        target=test,
        organization_id=test.organization_id,
        changes={
            "prompt": (None, f"{test.prompt_name} v{test.version_number}"),
            "steps": (None, ", ".join(str(rows) for rows in options.steps)),
            "model": (None, test.model),
            "cost_cap": (None, None if test.cost_cap is None else str(test.cost_cap)),
        },
    )
    _start_step(actor, test, steps[0], test.cost_cap)
    return test


def _create(
    actor: Actor, project: Project, prompt: PromptReference, plan: Plan, options: ScaleTestOptions
) -> tuple[ScaleTest, list[ScaleTestStep]]:
    now, version = timezone.now(), plan.dataset_version
    test = ScaleTest.objects.create(
        organization_id=project.organization_id,
        project=project,
        name=options.name or f"{plan.prompt.name} v{plan.prompt.number}, {now:%Y-%m-%d %H:%M}",
        prompt_name=plan.prompt.name,
        version_number=plan.prompt.number,
        label=prompt.label or "",
        dataset_version_id=version.pk,
        dataset_name=f"{version.dataset.name} v{version.number}"[:120],
        dataset_rows=version.row_count,
        model=plan.model.reference,
        concurrency=options.concurrency,
        livemode=options.livemode,
        sandbox=plan.model.sandbox,
        api_key_id=options.api_key_id,
        cost_cap=options.cost_cap,
        estimate=plan.estimate.as_json(),
        started_by_kind=actor.kind,
        started_by_id=actor.id,
        started_by_name=actor.display,
    )
    numbered = enumerate(options.steps)
    steps = ScaleTestStep.objects.bulk_create(
        ScaleTestStep(organization_id=test.organization_id, scale_test=test, position=position, rows=rows)
        for position, rows in numbered
    )
    return test, list(steps)


def cancel_scale_test(*, actor: Actor, scale_test: ScaleTest) -> ScaleTest:
    """Stop the batch that runs and start no other; returns the test as it stands now.

    Asking again changes nothing. Raises Conflict ``scale_test_ended`` for one that has ended.
    """
    test = ScaleTest.objects.select_for_update(no_key=True).get(pk=scale_test.pk)
    if test.is_terminal:
        message = f"This scale test has ended already: {test.get_status_display().lower()}."
        raise Conflict(message, code="scale_test_ended")
    if test.status == ScaleTestStatus.CANCELLING:
        return test
    test.status, test.stop_reason = ScaleTestStatus.CANCELLING, StopReason.REQUESTED
    test.save(update_fields=["status", "stop_reason"])
    record(
        actor=actor,
        action="scale_test.cancel_requested",
        target=test,
        organization_id=test.organization_id,
        changes={"status": (ScaleTestStatus.IN_PROGRESS, ScaleTestStatus.CANCELLING)},
    )
    step = _running_step(test)
    job = _job_of(step) if step else None
    if job is not None:
        with suppress(Conflict):
            cancel_batch(actor=actor, job=job)
    _advance(test)
    return test


def advance_scale_test(organization_id: UUID, scale_test_id: UUID) -> bool:
    """Go on behind a batch that has ended; whether anything was done. Opens its own scope."""
    with organization_scope(organization_id):
        rows = ScaleTest.objects.select_for_update(no_key=True, skip_locked=True)
        test = rows.filter(pk=scale_test_id, status__in=OPEN).first()
        return test is not None and _advance(test)


def sweep_scale_tests() -> int:
    """Go on with every scale test whose batch has ended unnoticed; returns how many."""
    with system_scope():
        found = ScaleTest.all_organizations.filter(status__in=OPEN)
        tests = list(found.order_by("pk").values_list("organization_id", "pk"))
    return sum(_advanced_alone(*test) for test in tests)


def _advanced_alone(organization_id: UUID, scale_test_id: UUID) -> bool:
    """One that can't go on must not hold up the others; a database that is away holds up all."""
    try:
        return advance_scale_test(organization_id, scale_test_id)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("batches.scale_test_failed", extra={"scale_test": str(scale_test_id)})
        return False


def _check_steps(steps: Sequence[int]) -> None:
    rising = all(before < after for before, after in pairwise(steps))
    if not 1 <= len(steps) <= MOST_STEPS or not rising or steps[0] < 1 or steps[-1] > LARGEST_STEP:
        message = (
            f"Steps are 1 to {MOST_STEPS} numbers of rows, each above the one before, up to {LARGEST_STEP:,}."
        )
        raise InvalidRequest(message, code="steps_invalid", param="steps")


def _check_cap(cap: Decimal | None, plan: Plan) -> None:
    status = plan.estimate.status
    if status == "unknown":
        message = f"No price is known for {plan.model.reference}, so nobody could say what this will cost."
        raise InvalidRequest(message, code="price_unknown", param="model")
    if status == "priced" and cap is None:
        message = "This model costs money: say the most that all steps together may cost."
        raise InvalidRequest(message, code="cost_cap_required", param="cost_cap")


def _check_quota(project: Project, plan: Plan) -> None:
    left = runs_left(project, plan)
    if left is not None and left < plan.rows:
        message = f"The steps are {plan.rows:,} runs, and this month has {left:,} left. Choose smaller steps."
        raise QuotaExceeded(message, param="steps")


def _start_step(actor: Actor, test: ScaleTest, step: ScaleTestStep, cap: Decimal | None) -> None:
    version = DatasetVersion.objects.select_related("dataset").filter(pk=test.dataset_version_id).first()
    if version is None:
        raise InvalidRequest("The dataset is gone.", code="dataset_version_not_found")
    job = start_batch(
        actor=actor,
        project=test.project,
        prompt=PromptReference(test.prompt_name, number=test.version_number),
        dataset_version=version,
        options=BatchOptions(
            name=f"{test.name}: {step.rows:,} rows"[:120],
            model=test.model,
            concurrency=test.concurrency,
            row_limit=step.rows,
            repeat_to=step.rows,
            cost_cap=cap,
            metadata={"scale_test": test.public_id},
            livemode=test.livemode,
            api_key_id=test.api_key_id,
        ),
    )
    step.batch_id, step.status = job.pk, StepStatus.RUNNING
    step.save(update_fields=["batch_id", "status"])


def _advance(test: ScaleTest) -> bool:
    """Go on with a locked test that has not ended."""
    step = _running_step(test)
    if step is not None:
        job = _job_of(step)
        if job is None:
            _end(test, ScaleTestStatus.FAILED, problem="The batch of the running step is gone.")
            return True
        if not job.is_terminal:
            return False
        measure_step(step, job)
        if job.stop_reason:
            _end(test, ScaleTestStatus.CANCELLED, reason=job.stop_reason)
            return True
    if test.status == ScaleTestStatus.CANCELLING:
        _end(test, ScaleTestStatus.CANCELLED, reason=test.stop_reason)
        return True
    following = test.steps.filter(status=StepStatus.PENDING).order_by("position").first()
    if following is None:
        _end(test, ScaleTestStatus.COMPLETED)
    else:
        _start_following(test, following)
    return True


def _start_following(test: ScaleTest, step: ScaleTestStep) -> None:
    left = None
    if test.cost_cap is not None:
        left = test.cost_cap - sum((each.cost_used for each in test.steps.all()), Decimal(0))
        if left <= 0:
            _end(test, ScaleTestStatus.CANCELLED, reason=StopReason.COST_CAP)
            return
    try:
        with transaction.atomic():
            _start_step(_starter(test), test, step, left)
    except PromptsaasError as error:
        _end(test, ScaleTestStatus.FAILED, problem=error.message)


def _end(test: ScaleTest, status: ScaleTestStatus, *, reason: str = "", problem: str = "") -> None:
    before, test.status, test.stop_reason, test.problem = test.status, status, reason, problem[:500]
    test.completed_at = timezone.now()
    test.save(update_fields=["status", "stop_reason", "problem", "completed_at"])
    test.steps.filter(status__in=(StepStatus.PENDING, StepStatus.RUNNING)).update(status=StepStatus.CANCELLED)
    record(
        actor=SYSTEM,
        action=f"scale_test.{status}",
        target=test,
        organization_id=test.organization_id,
        changes={"status": (before, status)},
    )


def _running_step(test: ScaleTest) -> ScaleTestStep | None:
    return test.steps.filter(status=StepStatus.RUNNING).order_by("position").first()


def _job_of(step: ScaleTestStep) -> BatchJob | None:
    return BatchJob.objects.filter(pk=step.batch_id).first() if step.batch_id else None


def _starter(test: ScaleTest) -> Actor:
    """Who started the test, as the actor of its later steps."""
    kind = test.started_by_kind
    if kind not in ("user", "api_key", "staff"):
        return SYSTEM
    return Actor(kind=kind, id=test.started_by_id, role="scale_test", display=test.started_by_name)  # type: ignore[arg-type]
