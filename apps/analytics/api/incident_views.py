"""``/api/v1/incidents``: versions that got worse, and by which rule they are found."""

from typing import ClassVar, Final

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.analytics.api import asking
from apps.analytics.api.incident_serializers import (
    IncidentRuleSerializer,
    IncidentSerializer,
    incident_body,
)
from apps.analytics.incidents import queries, services
from apps.analytics.incidents.models import DegradationRule, WatchedMetric
from apps.core.api import page, validated
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.prompts.queries import find_prompt
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission

TAG: Final = ["Incidents"]
STATES: Final = (queries.OPEN, queries.CLOSED)


class IncidentsAPIView(ProjectAPIView):
    """The project's incidents."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    @extend_schema(
        operation_id="list_incidents",
        tags=TAG,
        parameters=[
            *CURSOR_PARAMETERS,
            OpenApiParameter("state", str, enum=list(STATES)),
            OpenApiParameter("metric", str, enum=list(WatchedMetric.values)),
            OpenApiParameter("prompt", str, description="A prompt's name or id."),
        ],
        responses=list_of(IncidentSerializer),
    )
    def get(self, request: Request) -> Response:
        """Every incident of the project, newest first."""
        prompt = request.query_params.get("prompt", "")
        found = queries.list_incidents(
            self.project,
            state=asking.choice(request, "state", STATES) or "",
            metric=asking.choice(request, "metric", tuple(WatchedMetric.values)) or "",
            prompt_id=find_prompt(self.project, prompt).pk if prompt else None,
        )
        return Response(page(found, request, incident_body))


class IncidentAPIView(ProjectAPIView):
    """One incident."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    @extend_schema(operation_id="get_incident", tags=TAG, responses=IncidentSerializer)
    def get(self, request: Request, incident: str) -> Response:
        """One incident, with what changed beside it."""
        return Response(incident_body(queries.get_incident(self.project, incident)))


class IncidentAcknowledgeAPIView(ProjectAPIView):
    """Somebody looks after it."""

    permissions: ClassVar = {"POST": Permission.ALERTS_MANAGE}

    @extend_schema(
        operation_id="acknowledge_incident", tags=TAG, request=None, responses={200: IncidentSerializer}
    )
    def post(self, request: Request, incident: str) -> Response:
        """Acknowledge an open incident; it closes by itself all the same."""
        found = queries.get_incident(self.project, incident)
        done = services.acknowledge_incident(actor=self.access.actor, incident=found)
        return Response(incident_body(done))


class IncidentRuleAPIView(ProjectAPIView):
    """By which rule incidents are found."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW, "PUT": Permission.ALERTS_MANAGE}

    @extend_schema(operation_id="get_incident_rule", tags=TAG, responses=IncidentRuleSerializer)
    def get(self, request: Request) -> Response:
        """The rule that holds for the project."""
        return Response(_rule_body(queries.rule_of(self.project)))

    @extend_schema(
        operation_id="set_incident_rule",
        tags=TAG,
        request=IncidentRuleSerializer,
        responses=IncidentRuleSerializer,
    )
    def put(self, request: Request) -> Response:
        """Choose another rule, or none. Incidents that are open by the old one close."""
        given = validated(IncidentRuleSerializer(data=request.data))
        rule = DegradationRule(given["rule"])
        services.choose_rule(actor=self.access.actor, project=self.project, rule=rule)
        return Response(_rule_body(rule))


def _rule_body(rule: DegradationRule) -> dict[str, str]:
    return {"object": "incident_rule", "rule": rule.value}
