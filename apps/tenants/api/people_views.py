"""``/api/v1/``: members, invitations, roles, grants. Managing people is in no key's scope, on purpose."""

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import errors
from apps.core.api import page, validated
from apps.core.models import find
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.tenants import people, services
from apps.tenants.account_queries import users_with_mfa
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.api.people_serializers import (
    GrantSerializer,
    InvitationSerializer,
    MemberSerializer,
    NewGrantSerializer,
    NewInvitationSerializer,
    NewRoleSerializer,
    RoleChangeSerializer,
    RoleGivenSerializer,
    RoleSerializer,
    grant_body,
    invitation_body,
    member_body,
    role_body,
)
from apps.tenants.invitation_door import state_of
from apps.tenants.invitation_limits import check_sending
from apps.tenants.models import Invitation, Membership, ProjectUserObjectPermission, User
from apps.tenants.roles import Permission


class MembersAPIView(ProjectAPIView):
    """The organization's members."""

    permissions: ClassVar = {"GET": Permission.MEMBERS_VIEW}

    @extend_schema(
        operation_id="list_members",
        tags=["Members"],
        parameters=[
            *CURSOR_PARAMETERS,
            OpenApiParameter("search", str, description="Looks into names and e-mail addresses."),
            OpenApiParameter("role", str, description="Only members with this role, by its name or id."),
        ],
        responses=list_of(MemberSerializer),
    )
    def get(self, request: Request) -> Response:
        """The members, newest first."""
        search, role = (request.query_params.get(name, "")[:200] for name in ("search", "role"))
        body: dict[str, Any] = page(
            people.members(search=search, role=role), request, lambda row: {"row": row}
        )
        rows = [each["row"] for each in body["data"]]
        have = users_with_mfa([row.user_id for row in rows])
        return Response(body | {"data": [member_body(row, have) for row in rows]})


class MemberAPIView(ProjectAPIView):
    """One member."""

    permissions: ClassVar = {
        "GET": Permission.MEMBERS_VIEW,
        "PATCH": Permission.MEMBERS_MANAGE,
        "DELETE": Permission.MEMBERS_MANAGE,
    }

    @extend_schema(operation_id="get_member", tags=["Members"], responses=MemberSerializer)
    def get(self, request: Request, member: str) -> Response:
        """One member."""
        return Response(_member(people.get_member(member)))

    @extend_schema(
        operation_id="update_member",
        tags=["Members"],
        request=RoleGivenSerializer,
        responses=MemberSerializer,
    )
    def patch(self, request: Request, member: str) -> Response:
        """Give a member another role; 409 ``last_owner`` for the last owner. API keys can't."""
        given = validated(RoleGivenSerializer(data=request.data))
        found = people.get_member(member)
        services.change_role(actor=self.access.actor, membership=found, role=given["role"])
        return Response(_member(people.get_member(member)))

    @extend_schema(operation_id="remove_member", tags=["Members"], responses={204: None})
    def delete(self, request: Request, member: str) -> Response:
        """Take a member out, with their API keys, grants and open invitations. API keys can't."""
        services.remove_membership(actor=self.access.actor, membership=people.get_member(member))
        return Response(status=204)


class InvitationsAPIView(ProjectAPIView):
    """The organization's invitations."""

    permissions: ClassVar = {"GET": Permission.MEMBERS_VIEW, "POST": Permission.MEMBERS_MANAGE}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST":
            # Before the scope opens: it asks Redis.
            given = validated(NewInvitationSerializer(data=request.data))
            check_sending(self.organization.id, [given["email"]])

    @extend_schema(
        operation_id="list_invitations",
        tags=["Members"],
        parameters=CURSOR_PARAMETERS,
        responses=list_of(InvitationSerializer),
    )
    def get(self, request: Request) -> Response:
        """The invitations, newest first, ended ones included."""
        return Response(page(people.invitations(), request, _invitation))

    @extend_schema(
        operation_id="create_invitation",
        tags=["Members"],
        request=NewInvitationSerializer,
        responses={201: InvitationSerializer},
    )
    def post(self, request: Request) -> Response:
        """Invite an address. The link goes there by mail, works for seven days and is never shown."""
        given = validated(NewInvitationSerializer(data=request.data))
        invitation = services.invite(
            actor=self.access.actor,
            organization=self.organization,
            invited_by=_person(request, self),
            email=given["email"],
            role=given["role"],
        )
        return Response(_invitation(invitation), status=201)


class InvitationAPIView(ProjectAPIView):
    """One invitation."""

    permissions: ClassVar = {"GET": Permission.MEMBERS_VIEW, "DELETE": Permission.MEMBERS_MANAGE}

    @extend_schema(operation_id="get_invitation", tags=["Members"], responses=InvitationSerializer)
    def get(self, request: Request, invitation: str) -> Response:
        """One invitation."""
        return Response(_invitation(people.get_invitation(invitation)))

    @extend_schema(operation_id="revoke_invitation", tags=["Members"], responses=InvitationSerializer)
    def delete(self, request: Request, invitation: str) -> Response:
        """Withdraw an invitation: its link is dead. The row stays, with ``revoked_at``."""
        found = people.get_invitation(invitation)
        return Response(_invitation(services.revoke_invitation(actor=self.access.actor, invitation=found)))


class InvitationResendAPIView(ProjectAPIView):
    """A new link for an invitation."""

    permissions: ClassVar = {"POST": Permission.MEMBERS_MANAGE}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        with self.scope():
            email = people.get_invitation(kwargs["invitation"]).email
        check_sending(self.organization.id, [email])

    @extend_schema(
        operation_id="resend_invitation", tags=["Members"], request=None, responses=InvitationSerializer
    )
    def post(self, request: Request, invitation: str) -> Response:
        """Send a new link for seven more days; the old one is dead."""
        sent = services.resend_invitation(
            actor=self.access.actor,
            invitation=people.get_invitation(invitation),
            invited_by=_person(request, self),
        )
        return Response(_invitation(sent))


class RolesAPIView(ProjectAPIView):
    """The organization's own roles."""

    permissions: ClassVar = {"GET": Permission.MEMBERS_VIEW, "POST": Permission.MEMBERS_MANAGE}

    @extend_schema(
        operation_id="list_roles",
        tags=["Roles"],
        parameters=CURSOR_PARAMETERS,
        responses=list_of(RoleSerializer),
    )
    def get(self, request: Request) -> Response:
        """The organization's own roles, newest first; the built-in ones are always there."""
        return Response(page(people.custom_roles(), request, role_body))

    @extend_schema(
        operation_id="create_role", tags=["Roles"], request=NewRoleSerializer, responses={201: RoleSerializer}
    )
    def post(self, request: Request) -> Response:
        """Make a role. Nobody puts more into it than they hold; API keys can't."""
        given = validated(NewRoleSerializer(data=request.data))
        role = services.create_custom_role(actor=self.access.actor, organization=self.organization, **given)
        return Response(role_body(role), status=201)


class RoleAPIView(ProjectAPIView):
    """One of the organization's own roles."""

    permissions: ClassVar = {
        "GET": Permission.MEMBERS_VIEW,
        "PATCH": Permission.MEMBERS_MANAGE,
        "DELETE": Permission.MEMBERS_MANAGE,
    }

    @extend_schema(operation_id="get_role", tags=["Roles"], responses=RoleSerializer)
    def get(self, request: Request, role: str) -> Response:
        """One role."""
        return Response(role_body(people.get_custom_role(role)))

    @extend_schema(
        operation_id="update_role", tags=["Roles"], request=RoleChangeSerializer, responses=RoleSerializer
    )
    def patch(self, request: Request, role: str) -> Response:
        """Change a role; who has it, and their API keys, follow within a second."""
        given = validated(RoleChangeSerializer(data=request.data))
        found = people.get_custom_role(role)
        return Response(role_body(services.update_custom_role(actor=self.access.actor, role=found, **given)))

    @extend_schema(operation_id="delete_role", tags=["Roles"], responses={204: None})
    def delete(self, request: Request, role: str) -> Response:
        """Delete a role that nobody has; 409 ``role_in_use`` otherwise."""
        services.delete_custom_role(actor=self.access.actor, role=people.get_custom_role(role))
        return Response(status=204)


class GrantsAPIView(ProjectAPIView):
    """Rights given on the project."""

    permissions: ClassVar = {"GET": Permission.MEMBERS_VIEW, "POST": Permission.MEMBERS_MANAGE}

    @extend_schema(
        operation_id="list_grants",
        tags=["Grants"],
        parameters=CURSOR_PARAMETERS,
        responses=list_of(GrantSerializer),
    )
    def get(self, request: Request) -> Response:
        """The rights given to members on this project beside their roles, newest first."""
        return Response(page(people.project_grants(self.project), request, grant_body))

    @extend_schema(
        operation_id="create_grant",
        tags=["Grants"],
        request=NewGrantSerializer,
        responses={201: GrantSerializer},
    )
    def post(self, request: Request) -> Response:
        """Give a member a right on this project. Twice changes nothing. API keys can't."""
        given = validated(NewGrantSerializer(data=request.data))
        member = find(people.members(), given["member"])
        if member is None:
            raise errors.InvalidRequest("There is no such member.", param="member")
        permission = Permission(given["permission"])
        services.grant_project_permission(
            actor=self.access.actor, project=self.project, user=member.user, permission=permission
        )
        rows = people.project_grants(self.project)
        made = rows.get(user_id=member.user_id, permission__codename=permission.value)
        return Response(grant_body(made), status=201)


class GrantAPIView(ProjectAPIView):
    """One right given on the project."""

    permissions: ClassVar = {"DELETE": Permission.MEMBERS_MANAGE}

    @extend_schema(operation_id="delete_grant", tags=["Grants"], responses={204: None})
    def delete(self, request: Request, grant: str) -> Response:
        """Take a right back; what the role gives stays. API keys can't."""
        rows = people.project_grants(self.project).select_related("user")
        found: ProjectUserObjectPermission | None = find(rows, grant)
        if found is None:
            raise errors.NotFound("There is no such grant on this project.")
        services.revoke_project_permission(
            actor=self.access.actor,
            project=self.project,
            user=found.user,
            permission=Permission(found.permission.codename),
        )
        return Response(status=204)


def _member(member: Membership) -> dict[str, Any]:
    return member_body(member, users_with_mfa([member.user_id]))


def _invitation(invitation: Invitation) -> dict[str, Any]:
    return invitation_body(invitation, state_of(invitation))


def _person(request: Request, view: ProjectAPIView) -> User:
    user = request._request.user
    if view.access.api_key_id or not isinstance(user, User):
        raise errors.PermissionDenied("Only a person can invite.")
    return user
