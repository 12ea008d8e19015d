"""What the API shows and takes of feedback."""

from typing import Any

from rest_framework import serializers

from apps.core import ids
from apps.runs import feedback as voices
from apps.runs import services
from apps.runs.models import Feedback, Run


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
