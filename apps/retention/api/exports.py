"""``/api/v1/exports``: ask for an archive of everything, follow it, fetch it, delete it."""

from typing import Any, ClassVar

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import ids
from apps.core.api import page
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.retention import services
from apps.retention.exports import downloading, reading
from apps.retention.exports.standing import Facts, facts_of
from apps.retention.models import ExportState, OrganizationExport
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.models import User
from apps.tenants.roles import Permission

TAGS = ["Privacy"]


class ExportSerializer(serializers.Serializer[Any]):
    """An archive of everything that the organization owns."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["export"])
    state = serializers.ChoiceField(choices=ExportState.choices)
    waits_for_erasure = serializers.BooleanField(help_text="An erasure runs; the archive is made after it.")
    requested_by = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    kinds_done = serializers.IntegerField()
    kinds = serializers.IntegerField()
    size = serializers.IntegerField(help_text="Bytes so far, without the directory at its end.")
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Rows by kind so far.")


class ExportsAPIView(ProjectAPIView):
    """The organization's archives."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE, "POST": Permission.PRIVACY_MANAGE}

    @extend_schema(
        operation_id="list_exports",
        tags=TAGS,
        parameters=[*CURSOR_PARAMETERS],
        responses=list_of(ExportSerializer),
    )
    def get(self, request: Request) -> Response:
        """The organization's archives, newest first. For members who manage privacy; no API key may."""
        # At most five can be ready, whatever page is asked for.
        facts = facts_of(list(reading.exports().filter(state=ExportState.READY)))
        return Response(page(reading.exports(), request, lambda row: export_body(row, facts)))

    @extend_schema(operation_id="create_export", tags=TAGS, request=None, responses={201: ExportSerializer})
    def post(self, request: Request) -> Response:
        """Ask for an archive of everything that the organization owns; a worker makes it.

        409 `export_running` while one is made, `too_many_exports` while five are kept.
        """
        made = services.request_export(actor=self.access.actor, organization=self.organization)
        return Response(export_body(made), status=201)


class ExportAPIView(ProjectAPIView):
    """One archive."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE, "DELETE": Permission.PRIVACY_MANAGE}

    @extend_schema(operation_id="get_export", tags=TAGS, responses=ExportSerializer)
    def get(self, request: Request, export: str) -> Response:
        """One archive, with how far it is and its counts so far."""
        return Response(export_body(reading.get_export(export)))

    @extend_schema(operation_id="delete_export", tags=TAGS, responses={204: None})
    def delete(self, request: Request, export: str) -> Response:
        """Delete an archive, or stop making it."""
        services.delete_export(actor=self.access.actor, export=reading.get_export(export))
        return Response(status=204)


class ExportContentAPIView(ProjectAPIView):
    """The archive itself."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE}

    @extend_schema(
        operation_id="download_export",
        tags=TAGS,
        parameters=[
            OpenApiParameter(
                "Range", str, OpenApiParameter.HEADER, description="Goes on with a broken download."
            )
        ],
        responses={
            (200, "application/zip"): OpenApiTypes.BINARY,
            (206, "application/zip"): OpenApiTypes.BINARY,
            416: OpenApiResponse(description="The range begins behind the end."),
        },
    )
    def get(self, request: Request, export: str) -> HttpResponseBase:
        """The archive as a ZIP file; 404 `export_not_ready` before its end and once it has expired."""
        return fetch(self, request, reading.get_export(export))


def fetch(view: Any, request: Request, export: OrganizationExport) -> HttpResponseBase:
    """The archive as an answer; every download, also of a part, is noted in the audit log."""
    archive = downloading.archive_of(export)
    answer = downloading.answer(request._request, archive)
    if answer.status_code in downloading.SENT and request.method == "GET":
        services.note_download(actor=view.access.actor, export=export)
    return answer


def export_body(export: OrganizationExport, facts: Facts | None = None) -> dict[str, Any]:
    """An export as the API shows it; with the facts at hand if several are shown."""
    told = reading.progress_of(export, facts)
    by = export.requested_by_id
    return {
        "id": export.public_id,
        "object": "export",
        "state": told.state,
        "waits_for_erasure": told.waits,
        "requested_by": ids.encode(User.PREFIX, by) if by else None,
        "created_at": export.created_at,
        "started_at": export.started_at,
        "ended_at": export.ended_at,
        "expires_at": export.expires_at,
        "kinds_done": told.kinds_done,
        "kinds": told.kinds,
        "size": export.size,
        "counts": export.counts,
    }
