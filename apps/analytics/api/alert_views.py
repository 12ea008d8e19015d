"""``/api/v1/alerts``: alert rules, their history, and what a rule would have done."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.analytics.alerts import queries, services
from apps.analytics.alerts.models import AlertKind, AlertRule, Comparison
from apps.analytics.alerts.recipients import permission_for
from apps.analytics.alerts.replaying import would_have_fired
from apps.analytics.alerts.scoping import read_scope
from apps.analytics.alerts.spec import RuleSpec, checked, spec_of
from apps.analytics.api.alert_serializers import (
    AlertEventSerializer,
    AlertPatchSerializer,
    AlertPreviewSerializer,
    AlertQuestionSerializer,
    AlertSerializer,
    MuteSerializer,
    NewAlertSerializer,
    alert_body,
    event_body,
    preview_body,
    question_body,
)
from apps.core import ids, rate_limits
from apps.core.api import page, validated
from apps.core.errors import InvalidRequest
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.models import Membership, Project
from apps.tenants.roles import Permission

TAG: Final = ["Alerts"]
PREVIEWS_PER_MINUTE: Final = 60
TESTS_PER_HOUR: Final = 10


class AlertsAPIView(ProjectAPIView):
    """The project's alert rules."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW, "POST": Permission.ALERTS_MANAGE}

    @extend_schema(
        operation_id="list_alerts", tags=TAG, parameters=CURSOR_PARAMETERS, responses=list_of(AlertSerializer)
    )
    def get(self, request: Request) -> Response:
        """Every alert rule of the project, newest first."""
        return Response(
            page(
                queries.list_rules(self.project, quotas=self.access.can(Permission.USAGE_VIEW)),
                request,
                alert_body,
            )
        )

    @extend_schema(
        operation_id="create_alert", tags=TAG, request=NewAlertSerializer, responses={201: AlertSerializer}
    )
    def post(self, request: Request) -> Response:
        """Add a rule; it is looked at within two minutes. Only members of the organization can be told."""
        given = validated(NewAlertSerializer(data=request.data))
        self.access.require(permission_for(given["kind"]))
        rule = services.create_rule(
            actor=self.access.actor,
            project=self.project,
            name=given["name"],
            spec=read_spec(self.project, given),
            member_ids=_members(given.get("recipients", ())),
        )
        return Response(alert_body(rule), status=201)


class AlertPreviewAPIView(ProjectAPIView):
    """What a rule that does not exist yet would have done."""

    permissions: ClassVar = {"POST": Permission.RUNS_VIEW}
    idempotent: ClassVar = False

    @extend_schema(
        operation_id="preview_alert",
        tags=TAG,
        request=AlertQuestionSerializer,
        responses={200: AlertPreviewSerializer},
    )
    def post(self, request: Request) -> Response:
        """How often a rule would have fired last week, by the evaluation itself over the real figures."""
        rate_limits.check("alert_preview", str(self.access.actor.id), PREVIEWS_PER_MINUTE, 60).enforce()
        given = validated(AlertQuestionSerializer(data=request.data))
        self.access.require(permission_for(given["kind"]))
        spec = checked(read_spec(self.project, given))
        return Response(preview_body(spec, would_have_fired(self.project, spec, timezone.now())))


class AlertAPIView(ProjectAPIView):
    """One alert rule."""

    permissions: ClassVar = {
        "GET": Permission.RUNS_VIEW,
        "PATCH": Permission.ALERTS_MANAGE,
        "DELETE": Permission.ALERTS_MANAGE,
    }

    @extend_schema(operation_id="get_alert", tags=TAG, responses=AlertSerializer)
    def get(self, request: Request, alert: str) -> Response:
        """One rule, and what it said last."""
        return Response(alert_body(_rule(self, alert)))

    @extend_schema(
        operation_id="update_alert", tags=TAG, request=AlertPatchSerializer, responses=AlertSerializer
    )
    def patch(self, request: Request, alert: str) -> Response:
        """Change a rule, or turn it on or off. Where it then asks something else it begins anew."""
        rule = _rule(self, alert)
        given = validated(AlertPatchSerializer(data=request.data))
        if set(given) - {"enabled"}:
            rule = self._updated(rule, given)
        if "enabled" in given:
            services.set_enabled(actor=self.access.actor, rule=rule, enabled=given["enabled"])
        return Response(alert_body(_rule(self, alert)))

    @extend_schema(operation_id="delete_alert", tags=TAG, responses={204: None})
    def delete(self, request: Request, alert: str) -> Response:
        """Delete a rule with its history."""
        services.delete_rule(actor=self.access.actor, rule=_rule(self, alert))
        return Response(status=204)

    def _updated(self, rule: AlertRule, given: Mapping[str, Any]) -> AlertRule:
        stands = question_body(spec_of(rule))
        scope = {**stands["scope"], **given.get("scope", {})}
        members = _members(given["recipients"]) if "recipients" in given else rule.recipients
        return services.update_rule(
            actor=self.access.actor,
            rule=rule,
            name=given.get("name", rule.name),
            spec=read_spec(self.project, {**stands, **given, "scope": scope}, standing=rule),
            member_ids=members,
        )


class AlertAcknowledgeAPIView(ProjectAPIView):
    """Somebody is on it."""

    permissions: ClassVar = {"POST": Permission.ALERTS_MANAGE}

    @extend_schema(operation_id="acknowledge_alert", tags=TAG, request=None, responses={200: AlertSerializer})
    def post(self, request: Request, alert: str) -> Response:
        """No more reminders until the state changes."""
        rule = _rule(self, alert)
        return Response(alert_body(services.acknowledge_rule(actor=self.access.actor, rule=rule)))


class AlertMuteAPIView(ProjectAPIView):
    """Send nothing for a while."""

    permissions: ClassVar = {"POST": Permission.ALERTS_MANAGE}

    @extend_schema(
        operation_id="mute_alert", tags=TAG, request=MuteSerializer, responses={200: AlertSerializer}
    )
    def post(self, request: Request, alert: str) -> Response:
        """Mute a rule up to 90 days, or end it with null. It is looked at all the same."""
        given = validated(MuteSerializer(data=request.data))
        rule = _rule(self, alert)
        return Response(
            alert_body(services.mute_rule(actor=self.access.actor, rule=rule, until=given["until"]))
        )


class AlertTestAPIView(ProjectAPIView):
    """A test mail."""

    permissions: ClassVar = {"POST": Permission.ALERTS_MANAGE}

    @extend_schema(operation_id="test_alert", tags=TAG, request=None, responses={200: AlertEventSerializer})
    def post(self, request: Request, alert: str) -> Response:
        """Send a test mail to everybody whom the rule tells."""
        rule = _rule(self, alert)
        rate_limits.check("alert_test", str(rule.id), TESTS_PER_HOUR, 3600).enforce()
        return Response(event_body(services.send_test(actor=self.access.actor, rule=rule)))


class AlertEventsAPIView(ProjectAPIView):
    """The history of a rule."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    @extend_schema(
        operation_id="list_alert_events",
        tags=TAG,
        parameters=CURSOR_PARAMETERS,
        responses=list_of(AlertEventSerializer),
    )
    def get(self, request: Request, alert: str) -> Response:
        """What a rule said and whom it told, newest first."""
        rule = _rule(self, alert)
        return Response(page(queries.history(rule), request, event_body))


def _rule(view: ProjectAPIView, public_id: str) -> AlertRule:
    quotas = view.access.can(Permission.USAGE_VIEW)
    return queries.get_rule(view.project, public_id, quotas=quotas)


def read_spec(project: Project, given: Mapping[str, Any], *, standing: AlertRule | None = None) -> RuleSpec:
    """What a body asks. Raises InvalidRequest for a scope that doesn't exist.

    What a standing rule's scope names already may stay, even if it is gone by now.
    """
    before = question_body(spec_of(standing))["scope"] if standing else None
    kind = AlertKind(given["kind"])
    comparison = Comparison(given.get("comparison") or Comparison.ABOVE)
    sign = -1 if kind == AlertKind.CHANGE and comparison == Comparison.BELOW else 1
    scope = given.get("scope") or {}
    value, warn_value = given.get("value"), given.get("warn_value")
    return RuleSpec(
        kind=kind,
        metric=given.get("metric") or "",
        scope=spec_of(standing).scope if standing and scope == before else _scope(project, scope),
        comparison=comparison,
        value=None if value is None else Decimal(value) * sign,
        warn_value=None if warn_value is None else Decimal(warn_value) * sign,
        window_minutes=int(given.get("window_minutes") or 60),
        compared_with=given.get("compared_with") or "",
        minimum_sample=given.get("minimum_sample") or 1,
        levels=tuple(given.get("levels") or ()),
        renotify_hours=given.get("renotify_hours"),
    )


def _scope(project: Project, scope: Mapping[str, Any]) -> Any:
    words = {name: scope.get(name) or "" for name in ("prompt", "label", "model", "key", "source")}
    try:
        return read_scope(project, **words, version=scope.get("version"), sandbox=bool(scope.get("sandbox")))
    except InvalidRequest as problem:
        raise InvalidRequest(problem.message, code=problem.code, param=f"scope.{problem.param}") from None


def _members(public_ids: Any) -> list[Any]:
    found = [ids.decode_or_none(Membership.PREFIX, each) for each in public_ids]
    if None in found:
        message = "A recipient is a member's id, as in mbr_…; free addresses can't be told."
        raise InvalidRequest(message, code="alert_rule_invalid", param="recipients")
    return found
