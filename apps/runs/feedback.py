"""Feedback on runs: who gives it, what it says, how it is kept. Reads, inside the scope."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson
from django.db.models import Avg, QuerySet

from apps.audit.actor import Actor
from apps.core import crypto
from apps.core.errors import NotFound
from apps.core.models import find
from apps.runs.models import BackgroundRun, Feedback, Run

TABLE: Final = "runs_feedback"
_MEMBER: Final = "user:"
_TOLD: Final = "told:"


@dataclass(frozen=True, slots=True)
class FeedbackText:
    """The words of a feedback; empty where none were said."""

    comment: str = ""
    correction: str = ""


@dataclass(frozen=True, slots=True)
class Giver:
    """One voice: its key in the database and the name that pages show."""

    key: str
    name: str


def giver_of(actor: Actor, user: str = "") -> Giver:
    """Whose feedback it is: the program's own user where one is told, else the member or the key."""
    if user:
        # Not "user:", which is how a member's key begins: a program could speak in a member's place.
        return Giver(f"{_TOLD}{user}", user)
    return Giver(f"{actor.kind}:{actor.id}", actor.display)


def is_members(feedback: Feedback) -> bool:
    """Whether a member said it, and not a program."""
    return feedback.giver.startswith(_MEMBER)


def feedback_of(run: Run) -> QuerySet[Feedback]:
    """Every voice on a run."""
    return Feedback.objects.filter(run_id=run.pk, project_id=run.project_id)


def feedback_on(runs: Sequence[Run | BackgroundRun]) -> QuerySet[Feedback]:
    """Every voice on some runs, oldest first."""
    return Feedback.objects.filter(run_id__in=[run.pk for run in runs]).order_by("pk")


def list_feedback(
    project_id: UUID, *, prompt_id: UUID | None = None, score: int | None = None
) -> QuerySet[Feedback]:
    """A project's feedback by prompt and score, unordered."""
    found = Feedback.objects.filter(project_id=project_id)
    if prompt_id:
        found = found.filter(prompt_id=prompt_id)
    return found.filter(score=score) if score else found


def get_feedback(run: Run, public_id: str) -> Feedback:
    """One feedback on a run. Raises NotFound."""
    found = find(feedback_of(run), public_id)
    if found is None:
        raise NotFound("There is no such feedback on this run.", code="feedback_not_found")
    return found


def text_of(feedback: Feedback) -> FeedbackText:
    """The unsealed words of a feedback."""
    if feedback.sealed_text is None:
        return FeedbackText()
    plain = crypto.unseal(
        bytes(feedback.sealed_text),
        organization_id=feedback.organization_id,
        table=TABLE,
        column="sealed_text",
        row_id=feedback.pk,
    )
    return FeedbackText(**orjson.loads(plain))


def mean_scores(run_ids: Sequence[UUID]) -> dict[UUID, float]:
    """The mean score of each run that has one, in one query."""
    scored = Feedback.objects.filter(run_id__in=run_ids, score__isnull=False)
    means = scored.values("run_id").annotate(mean=Avg("score")).values_list("run_id", "mean")
    return dict(means)


def score_by(giver: Giver, run_id: UUID) -> int | None:
    """The score that somebody gave a run; None where they gave none."""
    given = Feedback.objects.filter(run_id=run_id, giver=giver.key)
    return given.values_list("score", flat=True).first()


def text_by(giver: Giver, run: Run) -> FeedbackText:
    """What somebody said of a run; empty where they said nothing."""
    own = feedback_of(run).filter(giver=giver.key).first()
    return text_of(own) if own else FeedbackText()


def seal_text(organization_id: UUID, feedback_id: UUID, text: FeedbackText) -> bytes | None:
    """The words as they are kept; None where there are none."""
    if not text.comment and not text.correction:
        return None
    content = {"comment": text.comment, "correction": text.correction}
    return crypto.seal(
        orjson.dumps(content),
        organization_id=organization_id,
        table=TABLE,
        column="sealed_text",
        row_id=feedback_id,
    )
