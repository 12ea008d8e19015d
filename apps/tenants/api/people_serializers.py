"""What the API shows of members, invitations, roles and grants, and what it takes."""

from typing import Any

from rest_framework import serializers

from apps.core import ids
from apps.tenants.models import CustomRole, Invitation, Membership, Project, ProjectUserObjectPermission, User
from apps.tenants.roles import PROJECT_PERMISSIONS, Permission, name_of_role

ROLE_HELP = "A built-in role such as editor, or the id of one of the organization's own (rol_…)."


class PersonSerializer(serializers.Serializer[Any]):
    """A person."""

    id = serializers.CharField()
    name = serializers.CharField()
    email = serializers.EmailField()


class MemberSerializer(serializers.Serializer[Any]):
    """A member of the organization."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["member"])
    user = PersonSerializer()
    role = serializers.CharField(help_text=ROLE_HELP)
    role_name = serializers.CharField()
    second_factor = serializers.BooleanField(help_text="Whether they sign in with a second factor.")
    last_active_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class RoleGivenSerializer(serializers.Serializer[Any]):
    """Another role for a member."""

    role = serializers.CharField(max_length=40, help_text=ROLE_HELP)


class InvitationSerializer(serializers.Serializer[Any]):
    """An invitation; its link goes by mail only and is never shown."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["invitation"])
    email = serializers.EmailField()
    role = serializers.CharField(help_text=ROLE_HELP)
    role_name = serializers.CharField()
    status = serializers.ChoiceField(choices=["open", "expired", "accepted", "revoked"])
    invited_by = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    accepted_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class NewInvitationSerializer(RoleGivenSerializer):
    """Somebody to be invited."""

    email = serializers.CharField(max_length=254)


class RoleSerializer(serializers.Serializer[Any]):
    """A role of the organization's own."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["role"])
    name = serializers.CharField()
    description = serializers.CharField()
    permissions = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()


class NewRoleSerializer(serializers.Serializer[Any]):
    """A role to be made. What a permission is of no use without comes along."""

    name = serializers.CharField(max_length=40)
    description = serializers.CharField(max_length=200, allow_blank=True, default="")
    permissions = serializers.ListField(
        child=serializers.ChoiceField(choices=[each.value for each in Permission]),
        allow_empty=False,
        max_length=len(Permission),
    )


class RoleChangeSerializer(serializers.Serializer[Any]):
    """What to change about a role; what is left out stays."""

    name = serializers.CharField(max_length=40, required=False)
    description = serializers.CharField(max_length=200, allow_blank=True, required=False)
    permissions = serializers.ListField(
        child=serializers.ChoiceField(choices=[each.value for each in Permission]),
        allow_empty=False,
        max_length=len(Permission),
        required=False,
    )


class GrantSerializer(serializers.Serializer[Any]):
    """A right that a member was given on the project, beside the role."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["grant"])
    project = serializers.CharField()
    user = serializers.CharField()
    permission = serializers.CharField()


class NewGrantSerializer(serializers.Serializer[Any]):
    """A right to be given to a member on the project."""

    member = serializers.CharField(max_length=40, help_text="The member's id (mbr_…).")
    permission = serializers.ChoiceField(choices=sorted(each.value for each in PROJECT_PERMISSIONS))


def member_body(member: Membership, have_mfa: set[Any]) -> dict[str, Any]:
    """A member as the API shows one; `have_mfa` holds the users with a second factor."""
    return {
        "id": member.public_id,
        "object": "member",
        "user": {
            "id": ids.encode(User.PREFIX, member.user_id),
            "name": member.user.name,
            "email": member.user.email,
        },
        "role": role_reference(member),
        "role_name": name_of_role(member),
        "second_factor": member.user_id in have_mfa,
        "last_active_at": member.last_active_at,
        "created_at": member.created_at,
    }


def invitation_body(invitation: Invitation, status: str) -> dict[str, Any]:
    """An invitation as the API shows it."""
    return {
        "id": invitation.public_id,
        "object": "invitation",
        "email": invitation.email,
        "role": role_reference(invitation),
        "role_name": name_of_role(invitation),
        "status": status,
        "invited_by": ids.encode(User.PREFIX, invitation.invited_by_id) if invitation.invited_by_id else None,
        "created_at": invitation.created_at,
        "sent_at": invitation.sent_at,
        "expires_at": invitation.expires_at,
        "accepted_at": invitation.accepted_at,
        "revoked_at": invitation.revoked_at,
    }


def role_body(role: CustomRole) -> dict[str, Any]:
    """A role of the organization's own as the API shows it."""
    return {
        "id": role.public_id,
        "object": "role",
        "name": role.name,
        "description": role.description,
        "permissions": role.permissions,
        "created_at": role.created_at,
    }


def grant_body(grant: ProjectUserObjectPermission) -> dict[str, Any]:
    """A grant on the project as the API shows it."""
    return {
        "id": grant.public_id,
        "object": "grant",
        "project": ids.encode(Project.PREFIX, grant.content_object_id),
        "user": ids.encode(User.PREFIX, grant.user_id),
        "permission": grant.permission.codename,
    }


def role_reference(holder: Membership | Invitation) -> str:
    """A role as it is named in the API: a built-in name or a ``rol_…`` id."""
    own = holder.custom_role_id
    return ids.encode(CustomRole.PREFIX, own) if own else holder.role
