"""Rows of tenants."""

from datetime import datetime, timedelta

from django.utils import timezone

from apps.audit.actor import SYSTEM
from apps.core.models import TenantModel
from apps.core.scope import organization_scope
from apps.tenants import services as tenant_services
from apps.tenants.models import (
    APIKey,
    CustomRole,
    Invitation,
    Membership,
    Organization,
    Project,
    ProjectUserObjectPermission,
    User,
)
from apps.tenants.roles import Permission, Role, Scope
from tests.factories.registry import numbers, tenant_factory

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
    number = next(numbers)
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
        actor=SYSTEM, name=name or f"Organization {next(numbers)}", owner=owner or make_user()
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
        actor=SYSTEM, organization=project.organization, name=f"Project {next(numbers)}"
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


@tenant_factory("tenants.CustomRole")
def _custom_role(project: Project) -> TenantModel:
    return CustomRole.objects.create(
        organization_id=project.organization_id,
        name=f"Role {next(numbers)}",
        permissions=[Permission.PROMPTS_VIEW.value],
    )


@tenant_factory("tenants.Invitation")
def _invitation(project: Project) -> TenantModel:
    number, now = next(numbers), timezone.now()
    return Invitation.objects.create(
        organization_id=project.organization_id,
        email=f"invited{number}@example.com",
        role=Role.VIEWER,
        digest=number.to_bytes(32, "big"),
        sent_at=now,
        expires_at=now + timedelta(days=7),
    )
