"""Which model a project's new prompts begin with."""

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core.errors import InvalidRequest
from apps.providers import queries
from apps.providers.models import DefaultModel
from apps.tenants.models import Project


def set_default_model(*, actor: Actor, project: Project, reference: str) -> None:
    """Choose a model that the project can call; an empty reference chooses none.

    Raises InvalidRequest (code model_not_enabled) for another one.
    """
    if reference and reference not in {choice.reference for choice in queries.model_choices(project.id)}:
        message = f"'{reference[:200]}' is not one of this project's models."
        raise InvalidRequest(message, code="model_not_enabled", param="model")
    chosen = DefaultModel.objects.filter(project_id=project.id)
    before = chosen.values_list("reference", flat=True).first() or ""
    if before == reference:
        return
    if reference:
        DefaultModel.objects.update_or_create(
            organization_id=project.organization_id, project=project, defaults={"reference": reference}
        )
    else:
        chosen.delete()
    audit.record(
        actor=actor,
        action="default_model.changed",
        target=project,
        organization_id=project.organization_id,
        changes={"model": (before or None, reference or None)},
    )
