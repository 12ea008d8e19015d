"""Writes: organizations and their projects."""

from typing import Final

from django.db import IntegrityError, transaction

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes, errors
from apps.core.ids import uuid7
from apps.core.scope import organization_scope, system_scope
from apps.tenants.models import Membership, Organization, Project, User
from apps.tenants.roles import Role
from apps.tenants.services.common import cleaned_name
from apps.tenants.slugs import RESERVED_ORGANIZATIONS, RESERVED_PROJECTS, candidates

DEFAULT_PROJECT: Final = "Default"


def create_organization(*, actor: Actor, name: str, owner: User) -> Organization:
    """A new organization with its owner and a first project. Called outside every scope.

    Raises InvalidRequest for an empty name, Conflict when no address is free for it.
    """
    name = cleaned_name(name)
    for slug in _free_slugs(name):
        organization = Organization(id=uuid7(), name=name, slug=slug)
        try:
            with organization_scope(organization.id):
                _fill_organization(actor, organization, owner)
        except IntegrityError:
            # Somebody took the address in between; the next candidate gets its turn.
            continue
        return organization
    raise errors.Conflict("No address is free for this name; choose another.", param="name")


def create_project(*, actor: Actor, organization: Organization, name: str) -> Project:
    """A new project with an address made from its name. Raises InvalidRequest for an empty name."""
    name = cleaned_name(name)
    taken = set(Project.objects.values_list("slug", flat=True))
    slugs = candidates(name, fallback="project", reserved=RESERVED_PROJECTS)
    slug = next((each for each in slugs if each not in taken), None)
    if slug is None:
        raise errors.Conflict("No address is free for this name; choose another.", param="name")
    try:
        with transaction.atomic():
            project = Project.objects.create(organization=organization, name=name, slug=slug)
    except IntegrityError:
        raise errors.Conflict("A project of this name was created just now.", param="name") from None
    changes.append("project", str(project.id))
    audit.record(actor=actor, action="project.created", target=project, organization_id=organization.id)
    return project


def rename_organization(*, actor: Actor, organization: Organization, name: str) -> Organization:
    """Another name; the address stays. Raises InvalidRequest for an empty one."""
    name = cleaned_name(name)
    locked = Organization.objects.select_for_update().get(id=organization.id)
    if locked.name == name:
        return locked
    before, locked.name = locked.name, name
    locked.save(update_fields=["name"])
    audit.record(
        actor=actor,
        action="organization.updated",
        target=locked,
        organization_id=locked.id,
        changes={"name": (before, name)},
    )
    return locked


def rename_project(*, actor: Actor, project: Project, name: str) -> Project:
    """Another name; the address stays. Raises InvalidRequest for an empty one."""
    name = cleaned_name(name)
    locked = Project.objects.select_for_update().get(id=project.id)
    if locked.name == name:
        return locked
    before, locked.name = locked.name, name
    locked.save(update_fields=["name"])
    changes.append("project", str(locked.id))
    audit.record(
        actor=actor,
        action="project.updated",
        target=locked,
        organization_id=locked.organization_id,
        changes={"name": (before, name)},
    )
    return locked


def _fill_organization(actor: Actor, organization: Organization, owner: User) -> None:
    organization.save(force_insert=True)
    audit.record(
        actor=actor, action="organization.created", target=organization, organization_id=organization.id
    )
    membership = Membership.objects.create(organization=organization, user=owner, role=Role.OWNER)
    changes.append("membership", str(owner.id))
    audit.record(
        actor=actor,
        action="membership.created",
        target=membership,
        organization_id=organization.id,
        changes={"role": (None, Role.OWNER.value)},
        target_name=owner.display_name,
    )
    create_project(actor=actor, organization=organization, name=DEFAULT_PROJECT)


def _free_slugs(name: str) -> list[str]:
    slugs = list(candidates(name, fallback="organization", reserved=RESERVED_ORGANIZATIONS))
    with system_scope():
        taken = set(Organization.objects.filter(slug__in=slugs).values_list("slug", flat=True))
    return [slug for slug in slugs if slug not in taken]
