"""``/api/v1/usage``."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.billing.api.serializers import UsageSerializer, usage_body
from apps.billing.queries import usage_summary
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission


class UsageView(ProjectAPIView):
    """Usage of the organization."""

    permissions: ClassVar = {"GET": Permission.USAGE_VIEW}

    @extend_schema(operation_id="get_usage", tags=["Usage"], responses=UsageSerializer)
    def get(self, request: Request) -> Response:
        """This calendar month in UTC, over all projects, to the last recorded run."""
        return Response(usage_body(usage_summary(self.organization.id)))
