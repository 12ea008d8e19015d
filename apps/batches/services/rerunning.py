"""Running rows of a batch again as a batch of its own: on request, or by a rule once it has ended."""

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from apps.audit.actor import SYSTEM, Actor
from apps.audit.services import record
from apps.batches.choosing import chosen_items
from apps.batches.models import BatchJob
from apps.batches.row_sources import BatchSource
from apps.batches.rules import RerunRule, RowChoice, rule_of
from apps.batches.services.preparing import start_batch_from
from apps.batches.services.starting import BatchOptions
from apps.core.errors import Conflict, PromptsaasError
from apps.core.scope import organization_scope
from apps.runs.types import PromptReference


def rerun_batch(
    *,
    actor: Actor,
    job: BatchJob,
    choice: RowChoice,
    version: int | None = None,
    label: str | None = None,
    options: BatchOptions | None = None,
) -> BatchJob:
    """Start a batch over the finished rows of `job` that `choice` means; the two are linked.

    Without version and label the batch's own version runs, and without a model in `options` its own model.
    Raises InvalidRequest ``row_choice_invalid``, Conflict ``no_rows_chosen`` where no row is meant,
    ``rerun_impossible`` for the requests of an OpenAI file, and as `start_batch_from` does.
    """
    choice.check()
    if job.prompt is None:
        message = (
            "The requests of an OpenAI batch file are no rows of a prompt; they can't be run again here."
        )
        raise Conflict(message, code="rerun_impossible")
    if not chosen_items(job, choice).exists():
        raise Conflict("No finished row of this batch is like that.", code="no_rows_chosen", param="where")
    options = options or BatchOptions(concurrency=job.concurrency)
    own = version is None and label is None
    if own:
        options = replace(
            options, model=options.model or job.model, parameters=options.parameters or dict(job.parameters)
        )
    started = start_batch_from(
        actor=actor,
        project=job.project,
        prompt=PromptReference(job.prompt.name, label=label, number=job.version_number if own else version),
        source=BatchSource(job.pk, choice),
        options=replace(options, name=options.name or f"{job.name}, again"[:120]),
    )
    record(
        actor=actor,
        action="batch.rerun",
        target=job,
        organization_id=job.organization_id,
        changes={"batch": (None, started.public_id), "rows": (None, choice.words())},
    )
    return started


def run_rule(organization_id: UUID, job_id: UUID) -> bool:
    """Run the rule of a job that has ended; True for the one caller that did. Opens its own scope.

    What keeps it from starting is told on the job: nobody waits for an answer here.
    """
    with organization_scope(organization_id):
        due = BatchJob.objects.filter(id=job_id, rerun_due=True)
        job = due.select_for_update(no_key=True, skip_locked=True).first()
        rule = rule_of(job.rerun_rule) if job else None
        if job is None or rule is None:
            return False
        job.rerun_due = False
        try:
            with transaction.atomic():
                if not _has_run(job, rule):
                    _start_by_rule(job, rule)
        except PromptsaasError as problem:
            job.rerun_problem = "" if problem.code == "no_rows_chosen" else problem.message[:500]
        job.save(update_fields=["rerun_due", "rerun_problem"])
        return True


def _has_run(job: BatchJob, rule: RerunRule) -> bool:
    """Whether the rule was run after an earlier round: a retry does not make it pay twice."""
    return BatchJob.objects.filter(rerun_of_id=job.pk, rerun_choice=rule.where.as_json()).exists()


def _start_by_rule(job: BatchJob, rule: RerunRule) -> None:
    """In the name of who started the job, whose cap holds for both together."""
    options = BatchOptions(
        model=rule.model,
        concurrency=job.concurrency,
        priority=job.priority,
        cost_cap=_rest_of_cap(job),
        livemode=job.livemode,
        api_key_id=job.api_key_id,
        notify=job.notify,
    )
    started = rerun_batch(
        actor=SYSTEM, job=job, choice=rule.where, version=rule.version, label=rule.label, options=options
    )
    starter = {name: getattr(job, name) for name in ("started_by_kind", "started_by_id", "started_by_name")}
    BatchJob.objects.filter(pk=started.pk).update(**starter)


def _rest_of_cap(job: BatchJob) -> Decimal | None:
    if job.cost_cap is None:
        return None
    rest = job.cost_cap - job.cost_used
    if rest <= 0:
        raise Conflict("The cost cap is used up.", code="cost_cap_used")
    return rest
