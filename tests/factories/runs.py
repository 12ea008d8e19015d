"""Rows of runs."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from apps.billing.allowance import Reservation
from apps.core import crypto
from apps.core.ids import uuid7
from apps.core.models import TenantModel
from apps.core.scope import organization_scope
from apps.prompts.types import ResolvedPrompt
from apps.providers.pricing import Price
from apps.providers.types import Usage
from apps.runs import record_rows
from apps.runs.background.starting import start_background
from apps.runs.feedback import Giver
from apps.runs.models import BackgroundRun, Run, RunPayload, UncountedFeedback, UncountedRuns
from apps.runs.services import give_feedback
from apps.runs.types import Attempt, RunError, RunRecord, RunRequest, RunResult, Source
from apps.tenants.models import APIKey, Project
from tests.factories.registry import tenant_factory
from tests.factories.tenants import make_api_key


def make_run_record(
    *,
    project: Project,
    text: str = "A friendly answer.",
    error: RunError | None = None,
    source: Source = "gateway",
    source_id: UUID | None = None,
    model: str = "sandbox/standard",
    label: str | None = None,
    prompt: ResolvedPrompt | None = None,
    api_key_id: UUID | None = None,
    request_id: str = "",
    claim: UUID | None = None,
    usage_key: str = "",
    attempts: tuple[Attempt, ...] = (Attempt(2, 40),),
    at: datetime | None = None,
    record_payload: bool = True,
    cached_from: UUID | None = None,
    messages: tuple[dict[str, Any], ...] = ({"role": "user", "content": "Say something about: It broke."},),
    unit: str = "",
    background: bool = False,
    facts: dict[str, Any] | None = None,
) -> RunRecord:
    """A finished run that is not written yet; `facts` are further fields of its result."""
    run_id = uuid7()
    if at is not None:
        run_id = UUID(int=(int(at.timestamp() * 1000) << 80) | (run_id.int & ((1 << 80) - 1)))
    usage = Usage(12, 5, 0)
    request = RunRequest(
        run_id=run_id,
        organization_id=project.organization_id,
        project_id=project.id,
        source=source,
        source_id=source_id,
        usage_key=usage_key or f"run:{run_id}",
        variables={"review": "It broke."},
        metadata={"ticket": "42"},
        user="customer-7",
        api_key_id=api_key_id,
        request_id=request_id,
        claim=claim,
        record_payload=record_payload,
        unit=unit,
        background=background,
    )
    result = RunResult(
        run_id=run_id,
        created_at=at or datetime.now(UTC),
        status="failed" if error else "succeeded",
        text=text,
        parsed=None,
        usage=usage,
        price=Price("sandbox", Decimal("0.0000135"), {"source": "sandbox, made up"}),
        latency_ms=42,
        first_token_ms=None,
        finish_reason="stop",
        error=error,
        model=model,
        sandbox=model.startswith("sandbox/"),
        prompt_name=prompt.name if prompt else "",
        version_number=prompt.number if prompt else None,
        label=label,
        cached_from=cached_from,
    )
    return RunRecord(
        request=request,
        result=replace(result, **(facts or {})),
        prompt=prompt,
        connection=model.partition("/")[0],
        messages=messages,
        parameters={"temperature": 0.2},
        attempts=attempts,
        usage_origin="provider",
        provider_request_id="sandbox-1",
        reservation=Reservation(project.organization_id, "sandbox_runs"),
    )


def make_run(*, project: Project, **values: Any) -> Run:
    """A run in the database, with payload and usage, written by the recorder's own statement."""
    record = make_run_record(project=project, **values)
    with organization_scope(project.organization_id), connection.cursor() as cursor:
        row = record_rows.seal(record, crypto.data_key(project.organization_id))
        cursor.execute(record_rows.STATEMENT, record_rows.parameters([row]))
        return Run.objects.get(pk=row.run_id)


@tenant_factory("runs.Run")
def _run(project: Project) -> TenantModel:
    return make_run(project=project)


@tenant_factory("runs.RunPayload")
def _run_payload(project: Project) -> TenantModel:
    return RunPayload.objects.get(pk=make_run(project=project).pk)


@tenant_factory("runs.Feedback")
def _feedback(project: Project) -> TenantModel:
    run = make_run(project=project)
    return give_feedback(giver=Giver("told:1", "1"), run=run, score=4, comment="Good.")[0]


@tenant_factory("runs.UncountedRuns")
def _uncounted_runs(project: Project) -> TenantModel:
    return UncountedRuns.objects.create(organization_id=project.organization_id, run_ids=[uuid7()])


@tenant_factory("runs.UncountedFeedback")
def _uncounted_feedback(project: Project) -> TenantModel:
    return UncountedFeedback.objects.create(
        organization_id=project.organization_id, run_id=uuid7(), score_sum=4, score_count=1
    )


def make_background_run(
    *, project: Project, api_key: APIKey | None = None, model: str = "sandbox/standard", **values: Any
) -> BackgroundRun:
    """A background run that waits, of a plain model unless the values name a prompt."""
    key = api_key or make_api_key(project=project)[0]
    run_id = uuid7()
    values.setdefault("messages", ({"role": "user", "content": "Say something."},))
    return start_background(
        RunRequest(
            run_id=run_id,
            organization_id=project.organization_id,
            project_id=project.id,
            source="gateway",
            usage_key=f"run:{run_id}",
            model=model,
            api_key_id=key.pk,
            livemode=key.livemode,
            background=True,
            **values,
        )
    )


@tenant_factory("runs.BackgroundRun")
def _background_run(project: Project) -> TenantModel:
    return make_background_run(project=project)
