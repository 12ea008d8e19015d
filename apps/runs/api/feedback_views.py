"""``/api/v1/runs/<run>/feedback`` and ``/api/v1/feedback``: what people think of answers."""

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import ids
from apps.core.api import page, validated
from apps.core.errors import InvalidRequest
from apps.core.numbers import whole_number
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.prompts.queries import find_prompt
from apps.runs import feedback as voices
from apps.runs import queries, services
from apps.runs.models import Feedback, Run
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission


class FeedbackSerializer(serializers.Serializer[Any]):
    """One voice on a run."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["feedback"])
    run = serializers.CharField()
    prompt_id = serializers.CharField(allow_null=True)
    given_by = serializers.CharField(help_text="The member, the key or the user that a key told.")
    score = serializers.IntegerField(allow_null=True, min_value=1, max_value=5)
    comment = serializers.CharField(allow_null=True)
    correction = serializers.CharField(allow_null=True, help_text="What the answer should have been.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class NewFeedbackSerializer(serializers.Serializer[Any]):
    """A score, a comment or a correction; at least one."""

    score = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=5)
    comment = serializers.CharField(
        required=False, allow_blank=True, trim_whitespace=False, max_length=services.LONGEST_COMMENT
    )
    correction = serializers.CharField(
        required=False, allow_blank=True, trim_whitespace=False, max_length=services.LONGEST_CORRECTION
    )
    user = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=255,
        help_text="Your own user who says so. Each user, key and member has one feedback a run.",
    )


def feedback_body(feedback: Feedback) -> dict[str, Any]:
    """A feedback as the API shows it."""
    text = voices.text_of(feedback)
    return {
        "id": feedback.public_id,
        "object": "feedback",
        "run": ids.encode(Run.PREFIX, feedback.run_id),
        "prompt_id": ids.encode("prm", feedback.prompt_id) if feedback.prompt_id else None,
        "given_by": feedback.giver_name,
        "score": feedback.score,
        "comment": text.comment or None,
        "correction": text.correction or None,
        "created_at": feedback.created_at,
        "updated_at": feedback.updated_at,
    }


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
        """Take a feedback back."""
        found = queries.get_run(self.project.id, run)
        services.remove_feedback(feedback=voices.get_feedback(found, feedback))
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
    text = request.query_params.get("score", "")
    if not text:
        return None
    score = whole_number(text)
    if score not in services.SCORES:
        raise InvalidRequest("score is a whole number from 1 to 5.", param="score")
    return score
