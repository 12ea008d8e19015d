"""``/api/v1/gallery``: examples to install."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import validated
from apps.dashboard.api.serializers import (
    GallerySerializer,
    InstalledSerializer,
    InstallSerializer,
    example_body,
    installed_body,
)
from apps.dashboard.gallery import EXAMPLES, find_example
from apps.dashboard.gallery.installing import install_example
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission


class GalleryAPIView(ProjectAPIView):
    """The examples."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW}

    @extend_schema(operation_id="list_gallery", tags=["Gallery"], responses=GallerySerializer)
    def get(self, request: Request) -> Response:
        """Every example with its content and test rows."""
        data = [example_body(example) for example in EXAMPLES]
        return Response({"object": "list", "data": data, "has_more": False, "next_cursor": None})


class InstallAPIView(ProjectAPIView):
    """Installing an example."""

    permissions: ClassVar = {"POST": Permission.PROMPTS_EDIT}

    @extend_schema(
        operation_id="install_example",
        tags=["Gallery"],
        request=InstallSerializer,
        responses={201: InstalledSerializer},
    )
    def post(self, request: Request, name: str) -> Response:
        """Make the example's prompt and its dataset, both or none. 409 when a name is taken."""
        self.access.require(Permission.DATASETS_EDIT)
        example = find_example(name)
        given = validated(InstallSerializer(data=request.data))
        made = install_example(
            actor=self.access.actor,
            project=self.project,
            example=example,
            name=given["name"],
            dataset=given["dataset"],
        )
        return Response(installed_body(example, made), status=201)
