"""``/api/v1/retention_policies``: how long each class of data is kept, and what would go now."""

from typing import Any, ClassVar, Final

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import errors, rate_limits
from apps.core.api import validated
from apps.core.openapi import list_of
from apps.retention import queries, rules, services
from apps.retention.models import DataClass, RetentionPolicy
from apps.retention.rules import Rule, Settings
from apps.runs.queries import get_run
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.models import Organization, Project
from apps.tenants.roles import Permission

SCOPES: Final = ("organization", "project")
_SCOPE: Final = OpenApiParameter("scope", str, enum=list(SCOPES), required=True)


class SetDaysSerializer(serializers.Serializer[Any]):
    """What was set in one place: days, or null days to keep. `set` is false where nothing was."""

    set = serializers.BooleanField()
    id = serializers.CharField(allow_null=True)
    days = serializers.IntegerField(allow_null=True)


class RetentionPolicySerializer(serializers.Serializer[Any]):
    """How long one class of data is kept in this project, and what decides it."""

    object = serializers.ChoiceField(choices=["retention_policy"])
    data_class = serializers.ChoiceField(choices=DataClass.choices)
    days = serializers.IntegerField(
        allow_null=True, help_text="What holds in this project; null: until somebody deletes it."
    )
    organization = SetDaysSerializer()
    project = SetDaysSerializer(allow_null=True, help_text="Null for a class of the whole organization.")
    plan_days = serializers.IntegerField(allow_null=True, help_text="The plan's maximum, if it has one.")
    fewest_days = serializers.IntegerField()
    held = serializers.BooleanField(help_text="Whether a legal hold keeps all of it in this project.")
    store_content = serializers.BooleanField(
        required=False, help_text="run_payloads alone: whether content of new runs is stored in this project."
    )
    goes = serializers.CharField()
    age = serializers.CharField()
    stays = serializers.CharField()


class PolicyChangeSerializer(serializers.Serializer[Any]):
    """Days for the organization or for this project; null days keep."""

    scope = serializers.ChoiceField(choices=SCOPES)
    days = serializers.IntegerField(allow_null=True, required=False)
    store_content = serializers.BooleanField(
        allow_null=True,
        required=False,
        help_text="run_payloads alone. False never stores the content of new runs; null follows the "
        "organization.",
    )


class DueSerializer(serializers.Serializer[Any]):
    """How much of a class would go now in a project; project is null for the whole organization."""

    data_class = serializers.ChoiceField(choices=DataClass.choices)
    project = serializers.CharField(allow_null=True)
    count = serializers.IntegerField()
    is_more = serializers.BooleanField(help_text="Counting stops at 1,000,000.")


class DryRunSerializer(serializers.Serializer[Any]):
    """What a purge would delete now."""

    object = serializers.ChoiceField(choices=["retention_dry_run"])
    at = serializers.DateTimeField()
    due = DueSerializer(many=True)


class RunRetentionSerializer(serializers.Serializer[Any]):
    """Until when one run is kept; null: until somebody deletes it. While `held`, no policy deletes it."""

    object = serializers.ChoiceField(choices=["run_retention"])
    run = serializers.CharField()
    content_until = serializers.DateTimeField(allow_null=True)
    facts_until = serializers.DateTimeField(allow_null=True)
    held = serializers.BooleanField()


class RetentionPoliciesAPIView(ProjectAPIView):
    """Every class of data."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    @extend_schema(
        operation_id="list_retention_policies",
        tags=["Privacy"],
        responses=list_of(RetentionPolicySerializer),
    )
    def get(self, request: Request) -> Response:
        """How long each class of data is kept in this project, in the order in which it is deleted."""
        return Response(
            {
                "object": "list",
                "data": [_body(self, rule, *_read(self)) for rule in rules.RULES],
                "has_more": False,
                "next_cursor": None,
                "url": request.path,
            }
        )


class RetentionPolicyAPIView(ProjectAPIView):
    """One class of data."""

    permissions: ClassVar = {
        "GET": Permission.RUNS_VIEW,
        "PUT": Permission.PRIVACY_MANAGE,
        "DELETE": Permission.PRIVACY_MANAGE,
    }

    @extend_schema(operation_id="get_retention_policy", tags=["Privacy"], responses=RetentionPolicySerializer)
    def get(self, request: Request, data_class: str) -> Response:
        """How long one class of data is kept in this project."""
        return self._answer(_rule(data_class))

    @extend_schema(
        operation_id="set_retention_policy",
        tags=["Privacy"],
        request=PolicyChangeSerializer,
        responses=RetentionPolicySerializer,
    )
    def put(self, request: Request, data_class: str) -> Response:
        """Set days, or whether content is stored, for the organization or this project."""
        rule = _rule(data_class)
        given = validated(PolicyChangeSerializer(data=request.data))
        place = self._place(given["scope"])
        if "days" not in given and "store_content" not in given:
            raise errors.InvalidRequest("Give days or store_content.", code="parameter_missing", param="days")
        if "days" in given:
            services.set_policy(**place, data_class=rule.data_class, days=given["days"])
        if "store_content" in given:
            if rule.data_class != DataClass.RUN_PAYLOADS:
                raise errors.InvalidRequest(
                    "Only run_payloads can go unstored.", code="parameter_invalid", param="store_content"
                )
            services.set_content_storing(**place, stores=given["store_content"])
        return self._answer(rule)

    @extend_schema(
        operation_id="clear_retention_policy",
        tags=["Privacy"],
        parameters=[_SCOPE],
        responses={200: RetentionPolicySerializer},
    )
    def delete(self, request: Request, data_class: str) -> Response:
        """Take a policy back: the project follows the organization again, the organization its plan."""
        rule = _rule(data_class)
        scope = request.query_params.get("scope", "")
        if scope not in SCOPES:
            raise errors.InvalidRequest(f"scope is one of {', '.join(SCOPES)}.", param="scope")
        services.clear_policy(**self._place(scope), data_class=rule.data_class)
        return self._answer(rule)

    def _place(self, scope: str) -> dict[str, Any]:
        project = self.project if scope == "project" else None
        return {"actor": self.access.actor, "organization": self.organization, "project": project}

    def _answer(self, rule: Rule) -> Response:
        return Response(_body(self, rule, *_read(self)))


class DryRunAPIView(ProjectAPIView):
    """What would go now."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE}
    scoped: ClassVar[bool] = False

    @extend_schema(operation_id="dry_run_retention", tags=["Privacy"], responses=DryRunSerializer)
    def get(self, request: Request) -> Response:
        """Count what a purge would delete now, by class and project of the organization."""
        limit = queries.COUNTS_PER_MINUTE
        rate_limits.check("retention_dry_run", str(self.access.actor.id), limit, 60).enforce()
        found = queries.dry_run(self.organization)
        due = [
            {
                "data_class": count.data_class,
                "project": count.project.public_id if count.project else None,
                "count": min(count.count, queries.COUNTED_AT_MOST),
                "is_more": count.is_more,
            }
            for count in found.counts
        ]
        return Response({"object": "retention_dry_run", "at": found.at, "due": due})


class RunRetentionAPIView(ProjectAPIView):
    """How long one run is kept."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    @extend_schema(operation_id="get_run_retention", tags=["Privacy"], responses=RunRetentionSerializer)
    def get(self, request: Request, run: str) -> Response:
        """Until when a run's content and facts are kept."""
        found = get_run(self.project.id, run)
        kept = queries.run_retention(found)
        return Response(
            {
                "object": "run_retention",
                "run": found.public_id,
                "content_until": kept.content_until,
                "facts_until": kept.facts_until,
                "held": kept.held,
            }
        )


_Read = tuple[Settings, list[RetentionPolicy], Organization, Project]


def _read(view: ProjectAPIView) -> _Read:
    # Read anew: a change of this very request must show.
    organization = Organization.objects.get(pk=view.organization.pk)
    project = Project.objects.get(pk=view.project.pk)
    return queries.load_settings(organization.pk), list(queries.policies()), organization, project


def _body(
    view: ProjectAPIView,
    rule: Rule,
    settings: Settings,
    policies: list[RetentionPolicy],
    organization: Organization,
    project: Project,
) -> dict[str, Any]:
    place = project.pk if rule.per_project else None
    own = {each.project_id: each for each in policies if each.data_class == rule.data_class}
    stored = organization.stores_content if project.stores_content is None else project.stores_content
    storing = {"store_content": stored} if rule.data_class == DataClass.RUN_PAYLOADS else {}
    return {
        "object": "retention_policy",
        "data_class": rule.data_class,
        "days": rules.days(settings, rule.data_class, place),
        "organization": _set_body(own.get(None)),
        "project": _set_body(own.get(project.pk)) if rule.per_project else None,
        "plan_days": settings.longest_days.get(rule.data_class),
        "fewest_days": rule.fewest_days,
        "held": rules.is_project_held(settings, rule.data_class, place),
        **storing,
        "goes": rule.goes,
        "age": rule.age,
        "stays": rule.stays,
    }


def _set_body(policy: RetentionPolicy | None) -> dict[str, Any]:
    if policy is None:
        return {"set": False, "id": None, "days": None}
    return {"set": True, "id": policy.public_id, "days": policy.days}


def _rule(name: str) -> Rule:
    if name not in DataClass.values:
        raise errors.NotFound("There is no such class of data.", code="retention_class_not_found")
    return rules.BY_CLASS[DataClass(name)]
