"""``/api/v1/webhook_endpoints`` and ``/api/v1/webhook_deliveries``: who is told, and what became of it."""

from typing import ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import page, validated
from apps.core.errors import InvalidRequest
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.notifications import queries, services
from apps.notifications.api import serializers as shapes
from apps.notifications.catalogue import BY_NAME, TEST
from apps.notifications.models import DeliveryStatus, WebhookEndpoint
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission

TAGS = ["Webhooks"]
MANAGE = Permission.WEBHOOKS_MANAGE


class WebhooksAPIView(ProjectAPIView):
    """The webhooks of the project."""

    permissions: ClassVar = {"GET": MANAGE, "POST": MANAGE}

    @extend_schema(
        operation_id="list_webhook_endpoints",
        tags=TAGS,
        parameters=CURSOR_PARAMETERS,
        responses=list_of(shapes.WebhookSerializer),
    )
    def get(self, request: Request) -> Response:
        """The project's webhooks, newest first."""
        return Response(page(queries.list_endpoints(self.project), request, shapes.webhook_body))

    @extend_schema(
        operation_id="create_webhook_endpoint",
        tags=TAGS,
        request=shapes.NewWebhookSerializer,
        responses={201: shapes.WebhookWithSecretSerializer},
    )
    def post(self, request: Request) -> Response:
        """Add a webhook. Its secret is told here and never again."""
        values = validated(shapes.NewWebhookSerializer(data=request.data))
        endpoint, secret = services.create_endpoint(actor=self.access.actor, project=self.project, **values)
        return Response({**shapes.webhook_body(endpoint), "secret": secret}, status=201)


class WebhookAPIView(ProjectAPIView):
    """One webhook."""

    permissions: ClassVar = {"GET": MANAGE, "PATCH": MANAGE, "DELETE": MANAGE}

    @extend_schema(operation_id="get_webhook_endpoint", tags=TAGS, responses=shapes.WebhookSerializer)
    def get(self, request: Request, webhook: str) -> Response:
        """One webhook, without its secret."""
        return Response(shapes.webhook_body(self._found(webhook)))

    @extend_schema(
        operation_id="update_webhook_endpoint",
        tags=TAGS,
        request=shapes.ChangeWebhookSerializer,
        responses=shapes.WebhookSerializer,
    )
    def patch(self, request: Request, webhook: str) -> Response:
        """Change a webhook, or turn it on and off. One that is turned on again is sent what waits."""
        values = validated(shapes.ChangeWebhookSerializer(data=request.data))
        endpoint = services.update_endpoint(actor=self.access.actor, endpoint=self._found(webhook), **values)
        return Response(shapes.webhook_body(endpoint))

    @extend_schema(operation_id="delete_webhook_endpoint", tags=TAGS, responses={204: None})
    def delete(self, request: Request, webhook: str) -> Response:
        """Delete a webhook with its deliveries; what waits is not sent any more."""
        services.delete_endpoint(actor=self.access.actor, endpoint=self._found(webhook))
        return Response(status=204)

    def _found(self, webhook: str) -> WebhookEndpoint:
        return queries.get_endpoint(self.project, webhook)


class RotateSecretAPIView(ProjectAPIView):
    """The next secret of a webhook."""

    permissions: ClassVar = {"POST": MANAGE}

    @extend_schema(
        operation_id="rotate_webhook_secret",
        tags=TAGS,
        request=None,
        responses=shapes.WebhookWithSecretSerializer,
    )
    def post(self, request: Request, webhook: str) -> Response:
        """Make a new secret, told here and never again. For 24 hours the old one signs as well."""
        found = queries.get_endpoint(self.project, webhook)
        endpoint, secret = services.rotate_secret(actor=self.access.actor, endpoint=found)
        return Response({**shapes.webhook_body(endpoint), "secret": secret})


class TestWebhookAPIView(ProjectAPIView):
    """A test of a webhook."""

    permissions: ClassVar = {"POST": MANAGE}

    @extend_schema(
        operation_id="test_webhook_endpoint",
        tags=TAGS,
        request=None,
        responses={202: shapes.DeliverySerializer},
    )
    def post(self, request: Request, webhook: str) -> Response:
        """Send an event ``webhook.test``. 409 ``webhook_disabled`` for one that is turned off."""
        found = queries.get_endpoint(self.project, webhook)
        delivery = services.send_test(actor=self.access.actor, endpoint=found)
        return Response(shapes.delivery_body(delivery), status=202)


class DeliveriesAPIView(ProjectAPIView):
    """What was sent, and what waits."""

    permissions: ClassVar = {"GET": MANAGE}

    @extend_schema(
        operation_id="list_webhook_deliveries",
        tags=TAGS,
        parameters=[
            OpenApiParameter("webhook_endpoint", str, description="Only those of one webhook, by its id."),
            OpenApiParameter("status", str, enum=DeliveryStatus.values),
            OpenApiParameter("event_type", str, enum=[*sorted(BY_NAME), TEST]),
            *CURSOR_PARAMETERS,
        ],
        responses=list_of(shapes.DeliverySerializer),
    )
    def get(self, request: Request) -> Response:
        """The project's deliveries of the last 30 days, newest first."""
        webhook = request.query_params.get("webhook_endpoint", "")
        found = queries.list_deliveries(
            self.project,
            endpoint=queries.get_endpoint(self.project, webhook) if webhook else None,
            status=_choice(request, "status", DeliveryStatus.values),
            event_type=_choice(request, "event_type", [*BY_NAME, TEST]),
        )
        return Response(page(found, request, shapes.delivery_body))


class DeliveryAPIView(ProjectAPIView):
    """One delivery."""

    permissions: ClassVar = {"GET": MANAGE}

    @extend_schema(operation_id="get_webhook_delivery", tags=TAGS, responses=shapes.DeliveryDetailSerializer)
    def get(self, request: Request, delivery: str) -> Response:
        """One delivery with what was sent and every attempt."""
        found = queries.get_delivery(self.project, delivery)
        return Response(shapes.delivery_detail_body(found, list(queries.attempts_of(found))))


class ResendAPIView(ProjectAPIView):
    """A delivery once more."""

    permissions: ClassVar = {"POST": MANAGE}

    @extend_schema(
        operation_id="resend_webhook_delivery",
        tags=TAGS,
        request=None,
        responses={202: shapes.DeliverySerializer},
    )
    def post(self, request: Request, delivery: str) -> Response:
        """Send a delivery again, now, with the same id and body. 409 ``webhook_disabled`` as for a test."""
        found = queries.get_delivery(self.project, delivery)
        again = services.resend(actor=self.access.actor, delivery=found)
        return Response(shapes.delivery_body(again), status=202)


def _choice(request: Request, name: str, allowed: list[str]) -> str:
    value = request.query_params.get(name)
    if value is not None and value not in allowed:
        raise InvalidRequest(f"{name} is one of {', '.join(allowed)}.", param=name)
    return value or ""
