"""Plain functions that make rows for tests. Each room has its own section; keyword arguments with defaults.

Factories open the organization's scope themselves, so they work inside and outside of it.
``@tenant_factory("prompts.Prompt")`` registers a function that makes one row of a TenantModel in a given
project; the isolation tests demand one for every TenantModel.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Model

from apps.audit import sealing
from apps.audit import services as audit_services
from apps.audit.actor import SYSTEM, Actor
from apps.audit.models import AuditDetail, AuditSeal
from apps.batches.models import BatchItem, BatchJob
from apps.batches.services import start_batch
from apps.batches.services.starting import BatchOptions
from apps.billing import plans
from apps.billing.allowance import Reservation
from apps.billing.models import AllowanceLease, Quota, UsageEvent, UsageKey
from apps.core import crypto, idempotency
from apps.core import files as core_files
from apps.core.ids import uuid7
from apps.core.models import FileChunk, IdempotencyKey, TenantModel
from apps.core.scope import organization_scope
from apps.datasets import services as dataset_services
from apps.datasets.mapping import RowValues
from apps.datasets.models import DatasetImport, DatasetVersion
from apps.prompts import services as prompt_services
from apps.prompts.models import Label, LabelMove, Prompt, PromptVersion
from apps.prompts.types import ResolvedPrompt, VersionContent
from apps.providers import services as provider_services
from apps.providers.models import ProviderCredential
from apps.providers.pricing import Price
from apps.providers.types import Usage
from apps.runs import record_rows
from apps.runs.models import Run, RunPayload
from apps.runs.types import Attempt, PromptReference, RunError, RunRecord, RunRequest, RunResult, Source
from apps.tenants import services as tenant_services
from apps.tenants.models import APIKey, Membership, Organization, Project, ProjectUserObjectPermission, User
from apps.tenants.roles import Permission, Role, Scope

TenantFactory = Callable[[Project], Model]

TENANT_FACTORIES: dict[str, TenantFactory] = {}
_numbers = count(1)


def tenant_factory(label: str, *, scoped: bool = True) -> Callable[[TenantFactory], TenantFactory]:
    """Register how one row of a tenant's model is made; ``label`` is ``app_label.ModelName``.

    The function runs inside the project's scope; ``scoped=False`` leaves scopes to the function.
    """

    def register(function: TenantFactory) -> TenantFactory:
        def in_scope(project: Project) -> Model:
            with organization_scope(project.organization_id):
                return function(project)

        TENANT_FACTORIES[label] = in_scope if scoped else function
        return function

    return register


# core and audit


@tenant_factory("core.StoredFile")
def _stored_file(project: Project) -> Model:
    return core_files.store(
        organization_id=project.organization_id, name="a.txt", content_type="text/plain", chunks=[b"text"]
    )


@tenant_factory("core.FileChunk")
def _file_chunk(project: Project) -> Model:
    return FileChunk.objects.get(file_id=_stored_file(project).pk)


@tenant_factory("core.IdempotencyKey")
def _idempotency_key(project: Project) -> Model:
    key = f"key {next(_numbers)}"
    idempotency.claim(organization_id=project.organization_id, owner="test", key=key, fingerprint=b"x" * 32)
    return IdempotencyKey.objects.get(key=key)


@tenant_factory("audit.AuditEvent")
def _audit_event(project: Project) -> Model:
    actor = Actor(kind="user", id=uuid7(), role="owner", display="Ada")
    return audit_services.record(
        actor=actor, action="test.done", organization_id=project.organization_id, target=project
    )


@tenant_factory("audit.AuditDetail")
def _audit_detail(project: Project) -> Model:
    return AuditDetail.objects.get(event_id=_audit_event(project).pk)


@tenant_factory("audit.AuditSeal", scoped=False)
def _audit_seal(project: Project) -> Model:
    with organization_scope(project.organization_id):
        event = _audit_event(project)
    sealing.seal_all()
    with organization_scope(project.organization_id):
        return AuditSeal.objects.get(event_id=event.pk)


# tenants

PASSWORD = "correct horse battery"


def make_user(
    *,
    email: str = "",
    name: str = "",
    verified: bool = True,
    password: str | None = None,
    staff: bool = False,
) -> User:
    """A person; with a password they can sign in (hashing one costs time, so there is none by default)."""
    number = next(_numbers)
    user = tenant_services.create_user(
        actor=SYSTEM,
        email=email or f"person{number}@example.com",
        password=password,
        name=name or f"Person {number}",
        verified=verified,
    )
    if staff:
        User.objects.filter(id=user.id).update(is_staff=True, is_superuser=True)
        user.refresh_from_db()
    return user


def make_organization(*, name: str = "", owner: User | None = None) -> Organization:
    """An organization with an owner and the project "Default"."""
    return tenant_services.create_organization(
        actor=SYSTEM, name=name or f"Organization {next(_numbers)}", owner=owner or make_user()
    )


def make_project(*, organization: Organization | None = None, name: str = "") -> Project:
    """A project; without organization or name, the first one of a new organization."""
    organization = organization or make_organization()
    with organization_scope(organization.id):
        if name:
            return tenant_services.create_project(actor=SYSTEM, organization=organization, name=name)
        return Project.objects.select_related("organization").order_by("id")[0]


def make_member(*, organization: Organization, role: Role = Role.DEVELOPER, user: User | None = None) -> User:
    """A user who is a member of an organization."""
    user = user or make_user()
    with organization_scope(organization.id):
        tenant_services.add_membership(actor=SYSTEM, organization=organization, user=user, role=role)
    return user


def owner_of(organization: Organization) -> User:
    """The first owner of an organization."""
    with organization_scope(organization.id):
        return Membership.objects.select_related("user").filter(role=Role.OWNER).order_by("id")[0].user


def make_api_key(
    *,
    project: Project,
    created_by: User | None = None,
    scopes: tuple[Scope, ...] = tuple(Scope),
    livemode: bool = True,
    expires_at: datetime | None = None,
    name: str = "Test key",
) -> tuple[APIKey, str]:
    """A key of a project and its token; made by the organization's owner unless told otherwise."""
    with organization_scope(project.organization_id):
        creator = created_by or Membership.objects.select_related("user").get(role=Role.OWNER).user
        return tenant_services.create_api_key(
            actor=SYSTEM,
            project=project,
            created_by=creator,
            name=name,
            scopes=[scope.value for scope in scopes],
            livemode=livemode,
            expires_at=expires_at,
        )


@tenant_factory("tenants.Project")
def _project(project: Project) -> TenantModel:
    return tenant_services.create_project(
        actor=SYSTEM, organization=project.organization, name=f"Project {next(_numbers)}"
    )


@tenant_factory("tenants.Membership")
def _membership(project: Project) -> TenantModel:
    return tenant_services.add_membership(
        actor=SYSTEM, organization=project.organization, user=make_user(), role=Role.VIEWER
    )


@tenant_factory("tenants.APIKey")
def _api_key(project: Project) -> TenantModel:
    return make_api_key(project=project)[0]


@tenant_factory("tenants.ProjectUserObjectPermission")
def _grant(project: Project) -> TenantModel:
    membership = _membership(project)
    assert isinstance(membership, Membership)
    tenant_services.grant_project_permission(
        actor=SYSTEM, project=project, user=membership.user, permission=Permission.PROMPTS_EDIT
    )
    return ProjectUserObjectPermission.objects.order_by("-id")[0]


# billing


@tenant_factory("billing.UsageEvent")
def _usage_event(project: Project) -> TenantModel:
    return UsageEvent.objects.create(
        organization_id=project.organization_id,
        project_id=project.id,
        meter="runs",
        quantity=1,
        key=f"run:{next(_numbers)}",
        source_kind="run",
        source_id=uuid7(),
        occurred_at=datetime.now(UTC),
    )


@tenant_factory("billing.UsageKey")
def _usage_key(project: Project) -> TenantModel:
    return UsageKey.objects.create(
        organization_id=project.organization_id, key=f"run:{next(_numbers)}", content_hash=b"hash"
    )


def make_quota(*, organization: Organization, cap: int, used: int = 0, meter: str = "runs") -> Quota:
    """This month's quota of an organization."""
    with organization_scope(organization.id):
        return Quota.objects.create(
            organization=organization,
            meter=meter,
            period_start=plans.period_start(datetime.now(UTC)),
            cap=cap,
            used=used,
        )


@tenant_factory("billing.Quota")
def _quota(project: Project) -> TenantModel:
    return make_quota(organization=project.organization, cap=10, meter=f"meter{next(_numbers)}")


@tenant_factory("billing.AllowanceLease")
def _allowance_lease(project: Project) -> TenantModel:
    quota = make_quota(organization=project.organization, cap=10, meter=f"meter{next(_numbers)}")
    return AllowanceLease.objects.create(
        organization_id=project.organization_id,
        quota=quota,
        holder="test",
        amount=1,
        expires_at=datetime.now(UTC),
    )


# prompts


def make_content(
    text: str = "Review: {{ review }}",
    *,
    system: str = "",
    variables: tuple[dict[str, Any], ...] = (),
    model: str = "sandbox/standard",
    parameters: dict[str, Any] | None = None,
    output_schema: dict[str, Any] | None = None,
) -> VersionContent:
    """A version's content: an optional system message and one user message."""
    messages = ({"role": "system", "content": system},) if system else ()
    return VersionContent(
        messages=(*messages, {"role": "user", "content": text}),
        variables=variables,
        model=model,
        parameters=parameters or {},
        output_schema=output_schema,
    )


def make_prompt(
    *,
    project: Project | None = None,
    name: str = "",
    kind: str = "chat",
    description: str = "",
    content: VersionContent | None = None,
    versions: int = 1,
    labels: dict[str, int] | None = None,
    actor: Actor = SYSTEM,
) -> Prompt:
    """A prompt with gapless versions (each text differs) and labels that point at them."""
    project = project or make_project()
    with organization_scope(project.organization_id):
        prompt = prompt_services.create_prompt(
            actor=actor,
            project=project,
            name=name or f"prompt-{next(_numbers)}",
            kind=kind,
            description=description,
            content=content or make_content(),
            message="First version",
        )
        for number in range(2, versions + 1):
            prompt_services.publish_version(
                actor=actor,
                prompt=prompt,
                content=make_content(f"Review {number}: {{{{ review }}}}"),
                message=f"Change {number}",
            )
        for label, number in (labels or {}).items():
            prompt_services.move_label(actor=actor, prompt=prompt, label=label, number=number)
    return prompt


@tenant_factory("prompts.Prompt")
def _prompt(project: Project) -> TenantModel:
    return make_prompt(project=project)


@tenant_factory("prompts.PromptVersion")
def _prompt_version(project: Project) -> TenantModel:
    return PromptVersion.objects.get(prompt=make_prompt(project=project))


@tenant_factory("prompts.Label")
def _label(project: Project) -> TenantModel:
    return Label.objects.get(prompt=make_prompt(project=project, labels={"production": 1}))


@tenant_factory("prompts.LabelMove")
def _label_move(project: Project) -> TenantModel:
    return LabelMove.objects.get(prompt=make_prompt(project=project, labels={"production": 1}))


# datasets


def make_dataset_version(
    *, project: Project, name: str = "", rows: Sequence[RowValues] | None = None
) -> DatasetVersion:
    """A dataset version; without rows, three reviews with the variable ``review`` and an expected output."""
    texts = (("Great product.", "Positive"), ("Broke at once.", "Negative"), ("Love it.", "Positive"))
    with organization_scope(project.organization_id):
        return dataset_services.create_version(
            actor=SYSTEM,
            project=project,
            dataset_name=name or f"Dataset {next(_numbers)}",
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


# runs


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
) -> RunRecord:
    """A finished run that is not written yet."""
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
    )
    return RunRecord(
        request=request,
        result=result,
        prompt=prompt,
        connection=model.partition("/")[0],
        messages=({"role": "user", "content": "Say something about: It broke."},),
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


# batches

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


@tenant_factory("batches.BatchJob")
def _batch_job(project: Project) -> TenantModel:
    return make_batch(project=project)


@tenant_factory("batches.BatchItem")
def _batch_item(project: Project) -> TenantModel:
    return BatchItem.objects.filter(batch=make_batch(project=project)).order_by("number")[0]


# providers


def make_connection(
    *,
    project: Project,
    name: str = "",
    base_url: str = "https://api.openai.com/v1",
    api_key: str = "sk-secret-0123456789abcdef",
    headers: dict[str, str] | None = None,
    models: tuple[str, ...] = ("gpt-4o-mini",),
) -> ProviderCredential:
    """A provider connection; nothing is called."""
    with organization_scope(project.organization_id):
        return provider_services.create_connection(
            actor=SYSTEM,
            project=project,
            name=name or f"provider-{next(_numbers)}",
            base_url=base_url,
            api_key=api_key,
            headers=headers,
            models=models,
        )


@tenant_factory("providers.ProviderCredential")
def _provider_credential(project: Project) -> TenantModel:
    # A name that resolves nowhere: the access matrix makes test calls.
    return make_connection(project=project, base_url="https://provider.invalid/v1")
