"""``/api/v1/model_aliases``: names that stand for models."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import page, validated
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.providers import services
from apps.providers.alias_queries import aliases_of, get_alias
from apps.providers.api.base import ProvidersAPIView
from apps.providers.models import ModelAlias
from apps.tenants.roles import Permission


class ModelAliasSerializer(serializers.Serializer[Any]):
    """A name that stands for a model wherever it is asked for."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["model_alias"])
    name = serializers.CharField(help_text="A word of your own, or the reference of a model it replaces.")
    target = serializers.CharField(help_text="connection/model: what is called.")
    reason = serializers.CharField(allow_blank=True)
    every_project = serializers.BooleanField(
        help_text="True where it holds for every project that has none of the same name."
    )
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(allow_null=True)


class NewModelAliasSerializer(serializers.Serializer[Any]):
    """An alias to be made."""

    name = serializers.CharField(max_length=255)
    target = serializers.CharField(max_length=255)
    reason = serializers.CharField(max_length=200, default="", allow_blank=True)
    every_project = serializers.BooleanField(
        default=False, help_text="Hold for every project of the organization. Needs organization.manage."
    )


class ModelAliasChangeSerializer(serializers.Serializer[Any]):
    """Changes of an alias; its name stays."""

    target = serializers.CharField(max_length=255, required=False)
    reason = serializers.CharField(max_length=200, required=False, allow_blank=True)


def alias_body(alias: ModelAlias) -> dict[str, Any]:
    """An alias as the API shows it."""
    return {
        "id": alias.public_id,
        "object": "model_alias",
        "name": alias.name,
        "target": alias.target,
        "reason": alias.reason,
        "every_project": alias.project_id is None,
        "created_at": alias.created_at,
        "created_by": alias.created_by or None,
    }


class ModelAliasesView(ProvidersAPIView):
    """The aliases of the project."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_VIEW, "POST": Permission.PROVIDERS_MANAGE}

    @extend_schema(
        operation_id="list_model_aliases",
        tags=["Providers"],
        parameters=CURSOR_PARAMETERS,
        responses=list_of(ModelAliasSerializer),
    )
    def get(self, request: Request) -> Response:
        """The project's aliases and those of every project, newest first."""
        return Response(page(aliases_of(self.project.id), request, alias_body))

    @extend_schema(
        operation_id="create_model_alias",
        tags=["Providers"],
        request=NewModelAliasSerializer,
        responses={201: ModelAliasSerializer},
    )
    def post(self, request: Request) -> Response:
        """Let a name stand for a model. Runs that ask for it go there within a second."""
        given = validated(NewModelAliasSerializer(data=request.data))
        owner = self.owner(every_project=given.pop("every_project"))
        made = services.create_alias(
            actor=self.access.actor, organization=self.organization, project=owner["project"], **given
        )
        return Response(alias_body(made), status=201)


class ModelAliasView(ProvidersAPIView):
    """One alias."""

    permissions: ClassVar = {
        "GET": Permission.PROVIDERS_VIEW,
        "PATCH": Permission.PROVIDERS_MANAGE,
        "DELETE": Permission.PROVIDERS_MANAGE,
    }

    @extend_schema(operation_id="get_model_alias", tags=["Providers"], responses=ModelAliasSerializer)
    def get(self, request: Request, alias: str) -> Response:
        """One alias."""
        return Response(alias_body(get_alias(self.project.id, alias)))

    @extend_schema(
        operation_id="update_model_alias",
        tags=["Providers"],
        request=ModelAliasChangeSerializer,
        responses=ModelAliasSerializer,
    )
    def patch(self, request: Request, alias: str) -> Response:
        """Point an alias at another model, or say anew why."""
        given = validated(ModelAliasChangeSerializer(data=request.data))
        found = get_alias(self.project.id, alias)
        services.change_alias(actor=self.access.actor, alias=found, **given)
        return Response(alias_body(found))

    @extend_schema(operation_id="delete_model_alias", tags=["Providers"], responses={204: None})
    def delete(self, request: Request, alias: str) -> Response:
        """Remove an alias."""
        services.delete_alias(actor=self.access.actor, alias=get_alias(self.project.id, alias))
        return Response(status=204)
