"""Whether what runs send and answer is stored at all."""

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes
from apps.core.errors import InvalidRequest
from apps.tenants.models import Organization, Project
from apps.tenants.queries import CONTENT_CHANGED


def set_content_storing(
    *, actor: Actor, organization: Organization, stores: bool | None, project: Project | None = None
) -> None:
    """Store the content of runs, or never; a project may (None) follow the organization.

    Every process knows within a second. What is stored already stays until it is due.
    Raises InvalidRequest for an organization that would follow nobody.
    """
    if project is None and stores is None:
        raise InvalidRequest(
            "An organization either stores content or doesn't.",
            code="parameter_invalid",
            param="store_content",
        )
    owner: Organization | Project = _locked(organization, project)
    before = owner.stores_content
    if before == stores:
        return
    owner.stores_content = stores
    owner.save(update_fields=["stores_content"])
    changes.append(CONTENT_CHANGED, str(organization.id))
    audit.record(
        actor=actor,
        action="content_storing.set",
        target=owner,
        organization_id=organization.id,
        changes={"stores_content": (before, stores)},
    )


def _locked(organization: Organization, project: Project | None) -> Organization | Project:
    if project is None:
        return Organization.objects.select_for_update().get(pk=organization.pk)
    return Project.objects.select_for_update().get(pk=project.pk)
