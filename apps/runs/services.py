"""Writes on runs: what people and programs think of them. A run itself is written by the recorder only."""

from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.core.errors import InvalidRequest, PermissionDenied
from apps.core.ids import uuid7
from apps.runs.feedback import FeedbackText, Giver, is_members, seal_text
from apps.runs.inputs import check_text
from apps.runs.models import Feedback, Run, UncountedFeedback

SCORES: Final = range(1, 6)
LONGEST_COMMENT: Final = 5_000
LONGEST_CORRECTION: Final = 100_000


def give_feedback(
    *, giver: Giver, run: Run, score: int | None, comment: str = "", correction: str = ""
) -> tuple[Feedback, bool]:
    """Keep what a giver thinks of a run, in place of what they thought before; True when it is the first.

    Raises InvalidRequest for an empty feedback, a score outside 1 to 5, or text that is too long.
    """
    text = _checked(score, comment, correction)
    feedback_id = uuid7()
    try:
        with transaction.atomic():
            created = Feedback.objects.create(
                id=feedback_id,
                organization_id=run.organization_id,
                project_id=run.project_id,
                run_id=run.pk,
                prompt_id=run.prompt_id,
                version_id=run.version_id,
                giver=giver.key,
                giver_name=giver.name[:255],
                score=score,
                sealed_text=seal_text(run.organization_id, feedback_id, text),
            )
            _count(created, given=score)
    except IntegrityError:
        return _replace(giver, run, score, text), False
    return created, True


def remove_feedback(*, giver: Giver, feedback: Feedback) -> None:
    """Take a feedback back. What a member said only they take back; raises PermissionDenied."""
    if is_members(feedback) and feedback.giver != giver.key:
        raise PermissionDenied("Only who gave this feedback can take it back.", code="feedback_not_yours")
    with transaction.atomic():
        # Another request may be replacing it.
        held = Feedback.objects.select_for_update().filter(pk=feedback.pk).first()
        if held is not None:
            _count(held, before=held.score)
            held.delete()


def count_feedback(*, organization_id: UUID, run_id: UUID, score_sum: int, score_count: int) -> None:
    """Tell the roll-ups what a change of feedback adds to a run's scores, in the change's own transaction.

    For whoever writes past this module's functions; a run that is deleted takes its scores along uncounted.
    """
    if score_sum or score_count:
        UncountedFeedback.objects.create(
            organization_id=organization_id, run_id=run_id, score_sum=score_sum, score_count=score_count
        )


def _count(feedback: Feedback, *, given: int | None = None, before: int | None = None) -> None:
    count_feedback(
        organization_id=feedback.organization_id,
        run_id=feedback.run_id,
        score_sum=(given or 0) - (before or 0),
        score_count=(given is not None) - (before is not None),
    )


def _replace(giver: Giver, run: Run, score: int | None, text: FeedbackText) -> Feedback:
    feedback = Feedback.objects.select_for_update().get(run_id=run.pk, giver=giver.key)
    _count(feedback, given=score, before=feedback.score)
    feedback.score = score
    feedback.sealed_text = seal_text(feedback.organization_id, feedback.pk, text)
    feedback.giver_name = giver.name[:255]
    feedback.updated_at = timezone.now()
    feedback.save(update_fields=["score", "sealed_text", "giver_name", "updated_at"])
    return feedback


def _checked(score: int | None, comment: str, correction: str) -> FeedbackText:
    if score is not None and score not in SCORES:
        raise InvalidRequest(
            "A score is a whole number from 1 to 5.", code="parameter_invalid", param="score"
        )
    for name, text, longest in (
        ("comment", comment, LONGEST_COMMENT),
        ("correction", correction, LONGEST_CORRECTION),
    ):
        check_text(name, text)
        if len(text) > longest:
            raise InvalidRequest(
                f"A {name} has at most {longest:,} characters; this one has {len(text):,}.",
                code="parameter_invalid",
                param=name,
            )
    if score is None and not comment.strip() and not correction:
        raise InvalidRequest(
            "Give a score, a comment or a correction.", code="parameter_missing", param="score"
        )
    return FeedbackText(comment=comment.strip(), correction=correction)
