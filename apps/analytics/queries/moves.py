"""Which labels moved while figures changed. Inside the organization's scope."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.analytics.queries.statements import Asked
from apps.prompts.models import LabelMove


@dataclass(frozen=True, slots=True)
class Moved:
    """A label of a prompt that moved to a version at a moment."""

    prompt_id: UUID
    prompt: str
    label: str
    number: int
    at: datetime


def label_moves(asked: Asked, *, most: int) -> tuple[Moved, ...]:
    """The newest moves to a version in the period, of the prompts that are asked about, oldest first."""
    filters, period = asked.filters, asked.period
    found = LabelMove.objects.filter(
        prompt__project_id=asked.project_id,
        created_at__gte=period.start,
        created_at__lt=period.end,
        to_number__isnull=False,
    )
    prompts = [each for each in filters.prompts if each is not None]
    if prompts:
        found = found.filter(prompt_id__in=prompts)
    if filters.labels:
        found = found.filter(label__in=filters.labels)
    rows = found.order_by("-id").values_list("prompt_id", "prompt__name", "label", "to_number", "created_at")
    moved = [
        Moved(prompt_id, name, label, number or 0, at) for prompt_id, name, label, number, at in rows[:most]
    ]
    return tuple(reversed(moved))
