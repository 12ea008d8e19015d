"""When a batch starts and by when it must be through. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from apps.batches.models import COMPLETION_WINDOW
from apps.core.errors import InvalidRequest

LATEST_START: Final = timedelta(days=90)
LONGEST_WINDOW: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Window:
    """From when rows are run, None for at once, and until when."""

    start_at: datetime | None
    expires_at: datetime


def window_of(
    start_at: datetime | None, deadline: datetime | None, now: datetime, *, longer: bool = False
) -> Window:
    """The checked times of a batch; a start that is over means at once, no deadline a day after the start.

    `longer`: two days, for rows that wait a day at their provider and may have to be called again.

    Raises InvalidRequest ``start_at_invalid`` or ``deadline_invalid``.
    """
    if start_at is not None and start_at > now + LATEST_START:
        message = f"A batch starts within the next {LATEST_START.days} days."
        raise InvalidRequest(message, code="start_at_invalid", param="start_at")
    later = start_at if start_at is not None and start_at > now else None
    begins = later or now
    expires_at = deadline or begins + COMPLETION_WINDOW * (2 if longer else 1)
    if expires_at <= begins:
        message = "The deadline is a time after the start." if later else "The deadline is a time to come."
        raise InvalidRequest(message, code="deadline_invalid", param="deadline")
    if expires_at > begins + LONGEST_WINDOW:
        message = f"The deadline is at most {LONGEST_WINDOW.days} days after the start."
        raise InvalidRequest(message, code="deadline_invalid", param="deadline")
    return Window(later, expires_at)
