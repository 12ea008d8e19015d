"""Rows of prompts."""

from typing import Any

from django.contrib.auth.models import Permission as StoredPermission

from apps.audit.actor import SYSTEM, Actor
from apps.core.models import TenantModel
from apps.core.scope import organization_scope
from apps.prompts import services as prompt_services
from apps.prompts.models import (
    Draft,
    Label,
    LabelMove,
    Prompt,
    PromptUserObjectPermission,
    PromptVersion,
    ServingPolicy,
)
from apps.prompts.types import VersionContent
from apps.tenants.models import Project
from tests.factories.registry import numbers, tenant_factory
from tests.factories.tenants import make_member, make_project


def make_content(
    text: str = "Review: {{ review }}",
    *,
    system: str = "",
    variables: tuple[dict[str, Any], ...] = (),
    model: str = "sandbox/standard",
    parameters: dict[str, Any] | None = None,
    output_schema: dict[str, Any] | None = None,
    tools: tuple[dict[str, Any], ...] = (),
) -> VersionContent:
    """A version's content: an optional system message and one user message."""
    messages = ({"role": "system", "content": system},) if system else ()
    return VersionContent(
        messages=(*messages, {"role": "user", "content": text}),
        variables=variables,
        model=model,
        parameters=parameters or {},
        output_schema=output_schema,
        tools=tools,
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
            name=name or f"prompt-{next(numbers)}",
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


@tenant_factory("prompts.ServingPolicy")
def _serving_policy(project: Project) -> TenantModel:
    return ServingPolicy.objects.create(
        organization_id=project.organization_id,
        project=project,
        prompt=make_prompt(project=project),
        limits={"requests_per_minute": 6000},
    )


@tenant_factory("prompts.Draft")
def _draft(project: Project) -> TenantModel:
    return Draft.objects.create(
        organization_id=project.organization_id,
        prompt=make_prompt(project=project),
        user=make_member(organization=project.organization),
        base_number=1,
        content={},
    )


@tenant_factory("prompts.PromptUserObjectPermission")
def _prompt_grant(project: Project) -> TenantModel:
    stored = StoredPermission.objects.get(
        content_type__app_label="prompts", content_type__model="prompt", codename="prompts.edit"
    )
    return PromptUserObjectPermission.objects.create(
        organization_id=project.organization_id,
        content_object=make_prompt(project=project),
        user=make_member(organization=project.organization),
        permission=stored,
    )
