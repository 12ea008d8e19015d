"""``/api/v1/legal_holds``: for members who manage privacy; no API key may."""

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import page, validated
from apps.core.errors import NotFound
from apps.core.models import find
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.prompts.models import Prompt
from apps.retention import queries, services
from apps.retention.models import LegalHold
from apps.retention.services.holds import LONGEST_REASON
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission


class LegalHoldSerializer(serializers.Serializer[Any]):
    """A hold on a project or on one of its prompts; in force until it is released."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["legal_hold"])
    project = serializers.CharField()
    prompt = serializers.CharField(allow_null=True, help_text="Null: the whole project.")
    reason = serializers.CharField()
    placed_by = serializers.CharField(allow_null=True)
    placed_at = serializers.DateTimeField()
    released_by = serializers.CharField(allow_null=True)
    released_at = serializers.DateTimeField(allow_null=True)
    release_reason = serializers.CharField(allow_null=True)


class NewHoldSerializer(serializers.Serializer[Any]):
    """What a hold on this project covers, and why."""

    prompt = serializers.CharField(required=False, allow_null=True, help_text="A prm_… id.")
    reason = serializers.CharField(max_length=LONGEST_REASON)


class ReleaseSerializer(serializers.Serializer[Any]):
    """Why a hold ends."""

    reason = serializers.CharField(max_length=LONGEST_REASON)


class LegalHoldsAPIView(ProjectAPIView):
    """The organization's holds."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE, "POST": Permission.PRIVACY_MANAGE}

    @extend_schema(
        operation_id="list_legal_holds",
        tags=["Privacy"],
        parameters=[
            *CURSOR_PARAMETERS,
            OpenApiParameter("in_force", bool, description="Only those that are not released."),
        ],
        responses=list_of(LegalHoldSerializer),
    )
    def get(self, request: Request) -> Response:
        """Every legal hold of the organization, newest first."""
        open_only = request.query_params.get("in_force", "") in ("true", "1")
        found = queries.open_holds() if open_only else queries.holds()
        return Response(page(found, request, hold_body))

    @extend_schema(
        operation_id="place_legal_hold",
        tags=["Privacy"],
        request=NewHoldSerializer,
        responses={201: LegalHoldSerializer},
    )
    def post(self, request: Request) -> Response:
        """Keep this project, or one of its prompts, from being deleted by policies.

        409 `legal_hold_exists` while one in force covers the same.
        """
        given = validated(NewHoldSerializer(data=request.data))
        prompt = None
        if given.get("prompt"):
            prompt = find(Prompt.objects.filter(project=self.project), given["prompt"])
            if prompt is None:
                raise NotFound("There is no such prompt in this project.", code="prompt_not_found")
        hold = services.place_hold(
            actor=self.access.actor, project=self.project, prompt=prompt, reason=given["reason"]
        )
        return Response(hold_body(hold), status=201)


class LegalHoldAPIView(ProjectAPIView):
    """One hold."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE}

    @extend_schema(operation_id="get_legal_hold", tags=["Privacy"], responses=LegalHoldSerializer)
    def get(self, request: Request, hold: str) -> Response:
        """One legal hold."""
        return Response(hold_body(queries.get_hold(hold)))


class ReleaseHoldAPIView(ProjectAPIView):
    """The end of a hold."""

    permissions: ClassVar = {"POST": Permission.PRIVACY_MANAGE}

    @extend_schema(
        operation_id="release_legal_hold",
        tags=["Privacy"],
        request=ReleaseSerializer,
        responses=LegalHoldSerializer,
    )
    def post(self, request: Request, hold: str) -> Response:
        """Release a hold: policies delete again. 409 `legal_hold_released` the second time."""
        given = validated(ReleaseSerializer(data=request.data))
        found = queries.get_hold(hold)
        services.release_hold(actor=self.access.actor, hold=found, reason=given["reason"])
        return Response(hold_body(queries.get_hold(hold)))


def hold_body(hold: LegalHold) -> dict[str, Any]:
    """A hold as the API shows it."""
    return {
        "id": hold.public_id,
        "object": "legal_hold",
        "project": hold.project.public_id,
        "prompt": hold.prompt.public_id if hold.prompt else None,
        "reason": hold.reason,
        "placed_by": hold.placed_by.public_id if hold.placed_by else None,
        "placed_at": hold.placed_at,
        "released_by": hold.released_by.public_id if hold.released_by else None,
        "released_at": hold.released_at,
        "release_reason": hold.release_reason or None,
    }
