"""``/api/v1/runs``: what ran, in numbers, and one run with its content."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import page
from apps.core.errors import Conflict, InvalidRequest
from apps.core.expanding import expand_parameter, expanded
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.prompts.queries import find_prompt
from apps.runs import queries
from apps.runs.api.feedback_shapes import feedback_body
from apps.runs.api.serializers import RunDetailSerializer, RunSerializer
from apps.runs.background.queries import find_background, find_run_or_background, waiting_runs
from apps.runs.background.starting import cancel_background
from apps.runs.bodies import background_body, run_body, run_detail_body
from apps.runs.feedback import feedback_on
from apps.runs.models import BackgroundRun, BackgroundStatus, Run, RunSource, RunStatus
from apps.runs.queries import CACHED, GUARDRAIL, RunFilters
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.models import Project
from apps.tenants.roles import Permission

WAITING: Final = frozenset({BackgroundStatus.QUEUED.value, BackgroundStatus.RUNNING.value})
FIRST_MOMENT: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MOMENT: Final = datetime(9000, 1, 1, tzinfo=UTC)
FILTER_PARAMETERS = [
    OpenApiParameter("status", str, enum=BackgroundStatus.values),
    OpenApiParameter("source", str, enum=RunSource.values),
    OpenApiParameter("prompt", str, description="A prompt's name or id."),
    OpenApiParameter("model", str, description="As <connection>/<model>."),
    OpenApiParameter("unit", str, description="Whom the run was for, as the call named it."),
    OpenApiParameter("cached", str, enum=list(CACHED), description="Whether a cache answered, and which."),
    OpenApiParameter("guardrail", str, enum=list(GUARDRAIL), description="What guardrails did."),
    OpenApiParameter("created_after", datetime, description="RFC 3339."),
    OpenApiParameter("created_before", datetime, description="RFC 3339."),
]


def _feedback(runs: Sequence[Run | BackgroundRun]) -> dict[UUID, list[dict[str, Any]]]:
    found: dict[UUID, list[dict[str, Any]]] = {run.pk: [] for run in runs}
    for voice in feedback_on(runs):
        found[voice.run_id].append(feedback_body(voice))
    return found


EXPANSIONS: Final = {"feedback": _feedback}


class RunsAPIView(ProjectAPIView):
    """The runs of the project."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    @extend_schema(
        operation_id="list_runs",
        tags=["Runs"],
        parameters=[*FILTER_PARAMETERS, *CURSOR_PARAMETERS, expand_parameter(EXPANSIONS)],
        responses=list_of(RunSerializer),
    )
    def get(self, request: Request) -> Response:
        """The project's runs in numbers, newest first. With status queued or running: background runs."""
        status = request.query_params.get("status", "")
        if status in WAITING:
            waiting = waiting_runs(self.project.id, status)
            return Response(page(waiting, request, background_body, EXPANSIONS))
        found = queries.list_runs(self.project.id, _filters(self.project, request))
        return Response(page(found, request, run_body, EXPANSIONS))


class RunAPIView(ProjectAPIView):
    """One run of the project."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    @extend_schema(
        operation_id="get_run",
        tags=["Runs"],
        parameters=[expand_parameter(EXPANSIONS)],
        responses=RunDetailSerializer,
    )
    def get(self, request: Request, run: str) -> Response:
        """One run with its content; a background run as it stands."""
        found = find_run_or_background(self.project.id, run)
        if isinstance(found, BackgroundRun):
            return Response(background_body(found))
        body = run_detail_body(found, queries.load_content(found))
        return Response(expanded(request, [found], [body], EXPANSIONS)[0])


class CancelRunAPIView(ProjectAPIView):
    """The end of a background run before its time."""

    permissions: ClassVar = {"POST": Permission.RUNS_CREATE}

    @extend_schema(operation_id="cancel_run", tags=["Runs"], request=None, responses=RunDetailSerializer)
    def post(self, request: Request, run: str) -> Response:
        """Cancel a background run. One that waits ends at once, one under way within a few seconds.

        409 ``run_ended`` for a run that has ended otherwise.
        """
        found = find_background(self.project.id, run)
        if found is None:
            queries.get_run(self.project.id, run)
            raise Conflict("This run has ended.", code="run_ended")
        return Response(background_body(cancel_background(actor=self.access.actor, run=found)))


def _filters(project: Project, request: Request) -> RunFilters:
    prompt = request.query_params.get("prompt", "")
    return RunFilters(
        status=_choice(request, "status", RunStatus.values),
        source=_choice(request, "source", RunSource.values),
        prompt_id=find_prompt(project, prompt).pk if prompt else None,
        model=request.query_params.get("model", ""),
        unit=request.query_params.get("unit", ""),
        cached=_choice(request, "cached", list(CACHED)),
        guardrail=_choice(request, "guardrail", list(GUARDRAIL)),
        since=_moment(request, "created_after"),
        until=_moment(request, "created_before"),
    )


def _choice(request: Request, name: str, allowed: list[str]) -> str:
    value = request.query_params.get(name)
    if value is not None and value not in allowed:
        raise InvalidRequest(f"{name} is one of {', '.join(allowed)}.", param=name)
    return value or ""


def _moment(request: Request, name: str) -> datetime | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidRequest(f"{name} is a time with its zone, such as 2026-11-20T14:00:00Z.", param=name)
    # No run is older or newer, and ids, which runs are found by, hold no other times.
    return max(FIRST_MOMENT, min(moment, LAST_MOMENT))
