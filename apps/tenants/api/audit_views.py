"""``/api/v1/audit_events``: the organization's trail, for whoever may see it."""

from datetime import datetime
from typing import Any, ClassVar

from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit import queries as audit_queries
from apps.audit import trail
from apps.audit.models import AuditEvent
from apps.audit.trail import ShownEvent
from apps.core import errors
from apps.core.api import page
from apps.core.models import find
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission

_TIME = {"type": "string", "format": "date-time"}
FILTERS = [
    OpenApiParameter("actor", str, description="The id of a user or an API key, or `system`."),
    OpenApiParameter("action", str, description="An action, as `prompt_version.published`."),
    OpenApiParameter("object", str, description="The id of the object that was acted on."),
    OpenApiParameter("outcome", str, enum=list(AuditEvent.Outcome.values)),
    OpenApiParameter("since", _TIME, description="Events from this moment on."),
    OpenApiParameter("until", _TIME, description="Events before this moment."),
]


class AuditActorSerializer(serializers.Serializer[Any]):
    """Who did it."""

    kind = serializers.CharField()
    id = serializers.CharField(allow_null=True)
    name = serializers.CharField(allow_null=True, help_text="Null once it is erased.")
    role = serializers.CharField()


class AuditObjectSerializer(serializers.Serializer[Any]):
    """What was acted on."""

    type = serializers.CharField()
    id = serializers.CharField(allow_null=True)
    name = serializers.CharField(allow_null=True)


class AuditChangeSerializer(serializers.Serializer[Any]):
    """One changed field."""

    field = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)
    erased = serializers.BooleanField(help_text="Whether the values were personal, or long, and are gone.")


class AuditEventSerializer(serializers.Serializer[Any]):
    """One event of the trail."""

    id = serializers.CharField()
    object = serializers.CharField(default="audit_event")
    occurred_at = serializers.DateTimeField()
    action = serializers.CharField()
    outcome = serializers.ChoiceField(choices=AuditEvent.Outcome.choices)
    actor = AuditActorSerializer()
    target = AuditObjectSerializer()
    changes = AuditChangeSerializer(many=True)
    ip = serializers.CharField(allow_null=True)
    request_id = serializers.CharField(allow_null=True)


class AuditEventsAPIView(ProjectAPIView):
    """The organization's audit events."""

    permissions: ClassVar = {"GET": Permission.AUDIT_VIEW}

    @extend_schema(
        operation_id="list_audit_events",
        tags=["Audit"],
        parameters=[*FILTERS, *CURSOR_PARAMETERS],
        responses=list_of(AuditEventSerializer),
    )
    def get(self, request: Request) -> Response:
        """The organization's events, newest first. For members who may see them; no API key may."""
        given = request.query_params
        found = trail.find_events(
            self.organization.id,
            actor=given.get("actor", ""),
            action=given.get("action", ""),
            target=given.get("object", ""),
            outcome=_outcome(given.get("outcome", "")),
            since=_moment(given.get("since", ""), "since"),
            until=_moment(given.get("until", ""), "until"),
        )
        answer = page(found, request, lambda event: {"event": event})
        rows = trail.shown([each["event"] for each in answer["data"]])
        return Response(answer | {"data": [audit_event_body(row) for row in rows]})


class AuditEventAPIView(ProjectAPIView):
    """One audit event."""

    permissions: ClassVar = {"GET": Permission.AUDIT_VIEW}

    @extend_schema(operation_id="get_audit_event", tags=["Audit"], responses=AuditEventSerializer)
    def get(self, request: Request, event: str) -> Response:
        """One event by its id."""
        row = find(audit_queries.events(self.organization.id), event)
        if row is None:
            raise errors.NotFound("There is no such event in this organization.")
        return Response(audit_event_body(trail.shown([row])[0]))


def audit_event_body(row: ShownEvent) -> dict[str, Any]:
    """An event as the API answers it."""
    event = row.event
    return {
        "id": event.public_id,
        "object": "audit_event",
        "occurred_at": event.occurred_at,
        "action": event.action,
        "outcome": event.outcome,
        "actor": {
            "kind": event.actor_kind,
            "id": row.actor_id or None,
            "name": row.actor_name or None,
            "role": event.actor_role,
        },
        "target": {
            "type": event.object_type,
            "id": event.object_id or None,
            "name": row.object_name or None,
        },
        "changes": [
            {
                "field": change.field,
                "before": change.before,
                "after": change.after,
                "erased": change.erased,
            }
            for change in row.changes
        ],
        "ip": row.ip or None,
        "request_id": event.request_id or None,
    }


def _outcome(text: str) -> str:
    if text and text not in AuditEvent.Outcome.values:
        raise errors.InvalidRequest("outcome is done or refused.", param="outcome")
    return text


def _moment(text: str, param: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise errors.InvalidRequest(
            f"{param} is a time with its zone, such as 2026-11-17T00:00:00Z.", param=param
        )
    return moment
