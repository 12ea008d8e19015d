"""``/api/v1/runs/<run>/feedback`` and ``/api/v1/feedback``: what people think of answers."""

from typing import ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import page, validated
from apps.core.errors import InvalidRequest
from apps.core.numbers import whole_number
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.prompts.queries import find_prompt
from apps.runs import feedback as voices
from apps.runs import queries, services
from apps.runs.api.feedback_shapes import FeedbackSerializer, NewFeedbackSerializer, feedback_body
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission


class RunFeedbackAPIView(ProjectAPIView):
    """The feedback on one run."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW, "POST": Permission.RUNS_CREATE}

    @extend_schema(
        operation_id="list_run_feedback",
        tags=["Feedback"],
        parameters=CURSOR_PARAMETERS,
        responses=list_of(FeedbackSerializer),
    )
    def get(self, request: Request, run: str) -> Response:
        """Every voice on a run, newest first."""
        found = queries.get_run(self.project.id, run)
        return Response(page(voices.feedback_of(found), request, feedback_body))

    @extend_schema(
        operation_id="give_feedback",
        tags=["Feedback"],
        request=NewFeedbackSerializer,
        responses={200: FeedbackSerializer, 201: FeedbackSerializer},
    )
    def post(self, request: Request, run: str) -> Response:
        """Say what you think of a run's answer. Saying it again replaces what was said (200)."""
        values = validated(NewFeedbackSerializer(data=request.data))
        given, first = services.give_feedback(
            giver=voices.giver_of(self.access.actor, values.get("user", "")),
            run=queries.get_run(self.project.id, run),
            score=values.get("score"),
            comment=values.get("comment", ""),
            correction=values.get("correction", ""),
        )
        return Response(feedback_body(given), status=201 if first else 200)


class OneFeedbackAPIView(ProjectAPIView):
    """One feedback on a run."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW, "DELETE": Permission.RUNS_CREATE}

    @extend_schema(operation_id="get_feedback", tags=["Feedback"], responses=FeedbackSerializer)
    def get(self, request: Request, run: str, feedback: str) -> Response:
        """One feedback."""
        found = queries.get_run(self.project.id, run)
        return Response(feedback_body(voices.get_feedback(found, feedback)))

    @extend_schema(operation_id="delete_feedback", tags=["Feedback"], responses={204: None})
    def delete(self, request: Request, run: str, feedback: str) -> Response:
        """Take a feedback back. What a member said only they can: 403 ``feedback_not_yours``."""
        found = queries.get_run(self.project.id, run)
        services.remove_feedback(
            giver=voices.giver_of(self.access.actor), feedback=voices.get_feedback(found, feedback)
        )
        return Response(status=204)


class FeedbackListAPIView(ProjectAPIView):
    """The feedback of the project."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    @extend_schema(
        operation_id="list_feedback",
        tags=["Feedback"],
        parameters=[
            OpenApiParameter("prompt", str, description="A prompt's name or id."),
            OpenApiParameter("score", {"type": "integer", "minimum": 1, "maximum": 5}),
            *CURSOR_PARAMETERS,
        ],
        responses=list_of(FeedbackSerializer),
    )
    def get(self, request: Request) -> Response:
        """The project's feedback, newest first."""
        prompt = request.query_params.get("prompt", "")
        prompt_id = find_prompt(self.project, prompt).pk if prompt else None
        found = voices.list_feedback(self.project.id, prompt_id=prompt_id, score=_score(request))
        return Response(page(found, request, feedback_body))


def _score(request: Request) -> int | None:
    text = request.query_params.get("score")
    if text is None:
        return None
    score = whole_number(text)
    if score not in services.SCORES:
        raise InvalidRequest("score is a whole number from 1 to 5.", param="score")
    return score
