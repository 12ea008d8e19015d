"""``/api/v1/``: provider connections and models."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import rate_limits
from apps.core.api import page, validated
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.providers import queries, services, trial
from apps.providers.api.base import ProvidersAPIView
from apps.providers.api.serializers import (
    ConnectionChangeSerializer,
    ConnectionSerializer,
    DefaultModelSerializer,
    ModelSerializer,
    NewConnectionSerializer,
    connection_body,
    model_body,
)
from apps.providers.catalogue import models_with_prices
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission

TESTS_PER_MINUTE = 10


class ConnectionsView(ProvidersAPIView):
    """The provider connections of the project."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_VIEW, "POST": Permission.PROVIDERS_MANAGE}

    @extend_schema(
        operation_id="list_providers",
        tags=["Providers"],
        parameters=CURSOR_PARAMETERS,
        responses=list_of(ConnectionSerializer),
    )
    def get(self, request: Request) -> Response:
        """The project's connections and those of every project, newest first, without their secrets."""
        return Response(page(queries.credentials_of(self.project.id), request, connection_body))

    @extend_schema(
        operation_id="create_provider",
        tags=["Providers"],
        request=NewConnectionSerializer,
        responses={201: ConnectionSerializer},
    )
    def post(self, request: Request) -> Response:
        """Add a connection. The key is sealed and never shown again."""
        given = validated(NewConnectionSerializer(data=request.data))
        owner = self.owner(every_project=given.pop("every_project"))
        made = services.create_connection(actor=self.access.actor, **owner, **given)
        return Response(connection_body(made), status=201)


class ConnectionView(ProvidersAPIView):
    """One provider connection."""

    permissions: ClassVar = {
        "GET": Permission.PROVIDERS_VIEW,
        "PATCH": Permission.PROVIDERS_MANAGE,
        "DELETE": Permission.PROVIDERS_MANAGE,
    }

    @extend_schema(operation_id="get_provider", tags=["Providers"], responses=ConnectionSerializer)
    def get(self, request: Request, connection: str) -> Response:
        """One connection, without its secrets."""
        return Response(connection_body(queries.get_credential(self.project.id, connection)))

    @extend_schema(
        operation_id="update_provider",
        tags=["Providers"],
        request=ConnectionChangeSerializer,
        responses=ConnectionSerializer,
    )
    def patch(self, request: Request, connection: str) -> Response:
        """Change what is given. A new address or headers demand the key; an address drops old headers."""
        given = validated(ConnectionChangeSerializer(data=request.data))
        found = queries.get_credential(self.project.id, connection)
        services.update_connection(actor=self.access.actor, credential=found, **given)
        return Response(connection_body(found))

    @extend_schema(operation_id="delete_provider", tags=["Providers"], responses={204: None})
    def delete(self, request: Request, connection: str) -> Response:
        """Delete a connection with its key."""
        found = queries.get_credential(self.project.id, connection)
        services.delete_connection(actor=self.access.actor, credential=found)
        return Response(status=204)


class ConnectionTestView(ProvidersAPIView):
    """The test call of a connection."""

    permissions: ClassVar = {"POST": Permission.PROVIDERS_MANAGE}
    scoped: ClassVar = False

    @extend_schema(
        operation_id="test_provider", tags=["Providers"], request=None, responses=ConnectionSerializer
    )
    def post(self, request: Request, connection: str) -> Response:
        """Call the provider once and keep what it said: `test_passed` and `test_message`."""
        rate_limits.check("connection_test", str(self.project.id), TESTS_PER_MINUTE, 60).enforce()
        with self.scope():
            opened = queries.unsealed(queries.get_credential(self.project.id, connection))
        outcome = trial.run_test(opened)
        with self.scope():
            found = queries.get_credential(self.project.id, connection)
            services.store_test_result(actor=self.access.actor, credential=found, outcome=outcome)
            return Response(connection_body(found))


class ModelsView(ProjectAPIView):
    """The models of the project."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_VIEW}

    @extend_schema(operation_id="list_models", tags=["Providers"], responses=list_of(ModelSerializer))
    def get(self, request: Request) -> Response:
        """Every model that a prompt can name, with the price that holds now; all of them on one page."""
        default = queries.default_model(self.project.id)
        models = [model_body(model, default) for model in models_with_prices(self.project.id)]
        body = {"object": "list", "data": models, "has_more": False, "next_cursor": None, "url": request.path}
        return Response(body)


class DefaultModelView(ProjectAPIView):
    """The model that new prompts of the project begin with."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_VIEW, "PUT": Permission.PROVIDERS_MANAGE}

    @extend_schema(operation_id="get_default_model", tags=["Providers"], responses=DefaultModelSerializer)
    def get(self, request: Request) -> Response:
        """The default as it was chosen, null where none was."""
        return Response(self._body())

    @extend_schema(
        operation_id="set_default_model",
        tags=["Providers"],
        request=DefaultModelSerializer,
        responses=DefaultModelSerializer,
    )
    def put(self, request: Request) -> Response:
        """Choose one of the project's models, or none by null."""
        given = validated(DefaultModelSerializer(data=request.data))
        services.set_default_model(
            actor=self.access.actor, project=self.project, reference=given["model"] or ""
        )
        return Response(self._body())

    def _body(self) -> dict[str, str | None]:
        return {"object": "default_model", "model": queries.chosen_default(self.project.id) or None}
