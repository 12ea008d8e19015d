"""``/api/v1/prices``: an organization's own prices."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import page, validated
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.providers import queries, services
from apps.providers.api.base import ProvidersAPIView
from apps.providers.api.serializers import (
    NewPriceSerializer,
    PriceEndSerializer,
    PriceSerializer,
    price_body,
)
from apps.tenants.roles import Permission


class PricesView(ProvidersAPIView):
    """The own prices that hold for the project."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_VIEW, "POST": Permission.PROVIDERS_MANAGE}

    @extend_schema(
        operation_id="list_prices",
        tags=["Providers"],
        parameters=CURSOR_PARAMETERS,
        responses=list_of(PriceSerializer),
    )
    def get(self, request: Request) -> Response:
        """The project's own prices and those of every project, past ones too, newest first."""
        return Response(page(queries.prices_of(self.project.id), request, price_body))

    @extend_schema(
        operation_id="create_price",
        tags=["Providers"],
        request=NewPriceSerializer,
        responses={201: PriceSerializer},
    )
    def post(self, request: Request) -> Response:
        """Set a price for runs to come. It stands before the price list; past costs never change."""
        given = validated(NewPriceSerializer(data=request.data))
        owner = self.owner(every_project=given["every_project"])
        made = services.create_price(
            actor=self.access.actor,
            organization=self.organization,
            project=owner["project"],
            pattern=given["model"],
            input_price=given["input"],
            output_price=given["output"],
            cached_input_price=given["cached_input"],
            batch_discount=given["batch_discount"],
            starts_at=given["starts_at"],
            ends_at=given["ends_at"],
        )
        made.refresh_from_db()
        return Response(price_body(made), status=201)


class PriceView(ProvidersAPIView):
    """One own price."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_VIEW}

    @extend_schema(operation_id="get_price", tags=["Providers"], responses=PriceSerializer)
    def get(self, request: Request, price: str) -> Response:
        """One own price. Runs name it in their price as `price_id`."""
        return Response(price_body(queries.get_price(self.project.id, price)))


class PriceEndView(ProvidersAPIView):
    """The end of an own price."""

    permissions: ClassVar = {"POST": Permission.PROVIDERS_MANAGE}

    @extend_schema(
        operation_id="end_price",
        tags=["Providers"],
        request=PriceEndSerializer,
        responses=PriceSerializer,
    )
    def post(self, request: Request, price: str) -> Response:
        """Let a price end, now or at a moment to come. One that has not begun never will."""
        given = validated(PriceEndSerializer(data=request.data))
        found = queries.get_price(self.project.id, price)
        services.end_price(actor=self.access.actor, override=found, ends_at=given["ends_at"])
        return Response(price_body(found))
