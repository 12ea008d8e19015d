"""What the API shows of tenants, and what it takes."""

from typing import Any

from rest_framework import serializers

from apps.core import ids
from apps.tenants.access import Access
from apps.tenants.limits import MOST, limits_of
from apps.tenants.models import APIKey, Organization, Project, User
from apps.tenants.roles import Scope


def _limit(name: str, help_text: str) -> serializers.IntegerField:
    """A field of a limit; null does not limit."""
    return serializers.IntegerField(
        min_value=1, max_value=MOST[name], allow_null=True, required=False, help_text=help_text
    )


class OrganizationSerializer(serializers.Serializer[Any]):
    """An organization. Its limits hold for all its keys together; null does not limit."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["organization"])
    name = serializers.CharField()
    slug = serializers.CharField(help_text="Its part of the dashboard's addresses.")
    requests_per_minute = serializers.IntegerField(allow_null=True)
    tokens_per_minute = serializers.IntegerField(allow_null=True)
    concurrent_runs = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()


class PatchOrganizationSerializer(serializers.Serializer[Any]):
    """What may change of an organization by the API: what bounds all its keys together."""

    requests_per_minute = _limit("requests_per_minute", "Null: not limited beyond what each key has.")
    tokens_per_minute = _limit("tokens_per_minute", "Tokens in and out. Null: not limited.")
    concurrent_runs = _limit("concurrent_runs", "Runs at a time. Null: not limited.")


class ProjectSerializer(serializers.Serializer[Any]):
    """A project."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["project"])
    name = serializers.CharField()
    slug = serializers.CharField(help_text="Its part of the dashboard's addresses.")
    created_at = serializers.DateTimeField()


class NewProjectSerializer(serializers.Serializer[Any]):
    """A project to be made."""

    name = serializers.CharField(max_length=100)


class KeySerializer(serializers.Serializer[Any]):
    """An API key without its secret."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["api_key"])
    name = serializers.CharField()
    masked = serializers.CharField(help_text="Prefix, key id and last four characters.")
    project = serializers.CharField()
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=[scope.value for scope in Scope]))
    livemode = serializers.BooleanField(help_text="False for a key that always runs the sandbox.")
    created_by = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    last_used_ip = serializers.CharField(allow_null=True)
    allowed_networks = serializers.ListField(
        child=serializers.CharField(), help_text="CIDR networks; none allow every address."
    )
    requests_per_minute = serializers.IntegerField(
        allow_null=True, help_text="Null: the installation's limit for every key."
    )
    tokens_per_minute = serializers.IntegerField(allow_null=True, help_text="Null: not limited.")
    concurrent_runs = serializers.IntegerField(allow_null=True, help_text="Null: not limited.")
    replaced_by = serializers.CharField(allow_null=True, help_text="The key that took its place.")


class MadeKeySerializer(KeySerializer):
    """An API key just made: the only answer that holds the secret."""

    secret = serializers.CharField(help_text="The key itself. It can't be read again.")


class KeyLimitsSerializer(serializers.Serializer[Any]):
    """What bounds a key; null takes a limit away."""

    requests_per_minute = _limit(
        "requests_per_minute", "At most the installation's limit for every key, which null means."
    )
    tokens_per_minute = _limit("tokens_per_minute", "Tokens in and out. Null: not limited.")
    concurrent_runs = _limit("concurrent_runs", "Runs at a time. Null: not limited.")


class NewKeySerializer(KeyLimitsSerializer):
    """An API key to be made."""

    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=[scope.value for scope in Scope]), allow_empty=False
    )
    livemode = serializers.BooleanField(default=True)
    expires_at = serializers.DateTimeField(allow_null=True, default=None)
    allowed_networks = serializers.ListField(child=serializers.CharField(max_length=60), default=list)


class PatchKeySerializer(KeyLimitsSerializer):
    """What may change of an API key."""

    name = serializers.CharField(max_length=100, required=False)
    allowed_networks = serializers.ListField(
        child=serializers.CharField(max_length=60), required=False, max_length=100
    )


class RotateKeySerializer(serializers.Serializer[Any]):
    """How a key is rotated."""

    overlap_seconds = serializers.IntegerField(
        min_value=0, max_value=604_800, default=86_400, help_text="How long the old key goes on."
    )


class ActorSerializer(serializers.Serializer[Any]):
    """Who is asking."""

    kind = serializers.ChoiceField(choices=["user", "api_key"])
    id = serializers.CharField()
    name = serializers.CharField()


class AccessSerializer(serializers.Serializer[Any]):
    """Who is asking, where, and with which permissions."""

    object = serializers.ChoiceField(choices=["access"])
    actor = ActorSerializer()
    organization = OrganizationSerializer()
    project = ProjectSerializer()
    permissions = serializers.ListField(child=serializers.CharField())
    livemode = serializers.BooleanField()


def organization_body(organization: Organization) -> dict[str, Any]:
    """An organization as the API shows it."""
    return {
        "id": organization.public_id,
        "object": "organization",
        "name": organization.name,
        "slug": organization.slug,
        **limits_of(organization),
        "created_at": organization.created_at,
    }


def project_body(project: Project) -> dict[str, Any]:
    """A project as the API shows it."""
    return {
        "id": project.public_id,
        "object": "project",
        "name": project.name,
        "slug": project.slug,
        "created_at": project.created_at,
    }


def key_body(key: APIKey) -> dict[str, Any]:
    """A key as the API shows it, without its secret."""
    return {
        "id": key.public_id,
        "object": "api_key",
        "name": key.name,
        "masked": key.masked,
        "project": ids.encode(Project.PREFIX, key.project_id),
        "scopes": key.scopes,
        "livemode": key.livemode,
        "created_by": ids.encode(User.PREFIX, key.created_by_id) if key.created_by_id else None,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "last_used_ip": key.last_used_ip,
        "allowed_networks": key.allowed_networks,
        **limits_of(key),
        "replaced_by": ids.encode(APIKey.PREFIX, key.replaced_by_id) if key.replaced_by_id else None,
    }


def access_body(access: Access, project: Project) -> dict[str, Any]:
    """The caller's own access as the API shows it."""
    prefix = APIKey.PREFIX if access.api_key_id else User.PREFIX
    actor_id = access.actor.id
    return {
        "object": "access",
        "actor": {
            "kind": access.actor.kind,
            "id": ids.encode(prefix, actor_id) if actor_id else None,
            "name": access.actor.display,
        },
        "organization": organization_body(access.organization),
        "project": project_body(project),
        "permissions": sorted(access.permissions),
        "livemode": access.livemode,
    }
