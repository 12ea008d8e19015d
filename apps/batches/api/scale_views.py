"""Scale tests by API: estimate, start, follow, stop."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.batches import scale_queries
from apps.batches.api import scale_shapes as shapes
from apps.batches.api.serializers import EstimateSerializer
from apps.batches.api.source_shapes import find_version
from apps.batches.services.scale_tests import (
    ScaleTestOptions,
    cancel_scale_test,
    plan_scale_test,
    start_scale_test,
)
from apps.core import api
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.runs.types import PromptReference
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission

TAGS = ["Scale tests"]


class ScaleTestListAPI(ProjectAPIView):
    """The scale tests of the project."""

    permissions = {"GET": Permission.BATCHES_VIEW, "POST": Permission.BATCHES_RUN}

    @extend_schema(
        operation_id="list_scale_tests",
        tags=TAGS,
        parameters=CURSOR_PARAMETERS,
        responses=list_of(shapes.ScaleTestSerializer),
    )
    def get(self, request: Request) -> Response:
        """List the project's scale tests, newest first."""
        found = scale_queries.list_scale_tests(self.project)
        return Response(api.page(found, request, shapes.scale_test_json))

    @extend_schema(
        operation_id="create_scale_test",
        tags=TAGS,
        request=shapes.StartScaleTestSerializer,
        responses={202: shapes.ScaleTestSerializer},
    )
    def post(self, request: Request) -> Response:
        """Run a prompt over more and more rows, one batch after the other."""
        values = api.validated(shapes.StartScaleTestSerializer(data=request.data))
        test = start_scale_test(
            actor=self.access.actor,
            project=self.project,
            prompt=_prompt_reference(values),
            dataset_version=find_version(self.project, values["dataset_version"]),
            options=_options(self, values),
        )
        found = scale_queries.get_scale_test(self.project, test.public_id)
        return Response(shapes.scale_test_json(found), status=202)


class ScaleTestEstimateAPI(ProjectAPIView):
    """What a scale test would cost."""

    permissions = {"POST": Permission.BATCHES_RUN}
    idempotent = False

    @extend_schema(
        operation_id="estimate_scale_test",
        tags=TAGS,
        request=shapes.PlanScaleTestSerializer,
        responses=EstimateSerializer,
    )
    def post(self, request: Request) -> Response:
        """Tell what all steps together would cost, without starting one."""
        values = api.validated(shapes.PlanScaleTestSerializer(data=request.data))
        plan = plan_scale_test(
            project=self.project,
            prompt=_prompt_reference(values),
            dataset_version=find_version(self.project, values["dataset_version"]),
            options=_options(self, values),
        )
        return Response(plan.estimate.as_json())


class ScaleTestAPI(ProjectAPIView):
    """One scale test."""

    permissions = {"GET": Permission.BATCHES_VIEW}

    @extend_schema(operation_id="get_scale_test", tags=TAGS, responses=shapes.ScaleTestSerializer)
    def get(self, request: Request, scale_test: str) -> Response:
        """Get a scale test with what its steps showed so far."""
        return Response(shapes.scale_test_json(scale_queries.get_scale_test(self.project, scale_test)))


class CancelScaleTestAPI(ProjectAPIView):
    """Stopping a scale test."""

    permissions = {"POST": Permission.BATCHES_RUN}

    @extend_schema(
        operation_id="cancel_scale_test",
        tags=TAGS,
        request=None,
        responses=shapes.ScaleTestSerializer,
    )
    def post(self, request: Request, scale_test: str) -> Response:
        """Stop a scale test: its batch stops, no other starts, what was measured stays."""
        test = scale_queries.get_scale_test(self.project, scale_test)
        cancel_scale_test(actor=self.access.actor, scale_test=test)
        return Response(shapes.scale_test_json(scale_queries.get_scale_test(self.project, scale_test)))


def _prompt_reference(values: dict[str, Any]) -> PromptReference:
    return PromptReference(values["prompt"], label=values.get("label"), number=values.get("version"))


def _options(view: ProjectAPIView, values: dict[str, Any]) -> ScaleTestOptions:
    plain = {name: values[name] for name in ("name", "model", "concurrency") if name in values}
    return ScaleTestOptions(
        **plain,
        steps=tuple(values["steps"]),
        cost_cap=values.get("cost_cap_usd"),
        livemode=view.access.livemode,
        api_key_id=view.access.api_key_id,
    )
