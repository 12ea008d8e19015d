"""Feedback in the words and shapes of the pages."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.runs.feedback import text_of
from apps.runs.models import Feedback


@dataclass(frozen=True, slots=True)
class Voice:
    """One feedback as the page of a run shows it."""

    public_id: str
    name: str
    score: int | None
    comment: str
    correction: str
    updated_at: datetime
    own: bool

    @property
    def initial(self) -> dict[str, Any]:
        """What the form starts with, to change one's own."""
        return {"score": self.score or "", "comment": self.comment, "correction": self.correction}


def shown_voices(feedback: Iterable[Feedback], own_giver: str) -> list[Voice]:
    """Every voice on a run; `own_giver` is the reader's."""
    return [_voice(each, each.giver == own_giver) for each in feedback]


def _voice(feedback: Feedback, own: bool) -> Voice:
    text = text_of(feedback)
    return Voice(
        public_id=feedback.public_id,
        name=feedback.giver_name,
        score=feedback.score,
        comment=text.comment,
        correction=text.correction,
        updated_at=feedback.updated_at,
        own=own,
    )
