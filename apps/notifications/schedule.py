"""When a delivery is tried again, and when an endpoint is given up. Pure but for the jitter."""

import random
from datetime import timedelta
from typing import Final

# Seconds after each failed attempt. With the jitter the last try is about a day after the first.
WAITS: Final = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 21_600, 28_800)
JITTER: Final = 0.2
MOST_ATTEMPTS: Final = len(WAITS) + 1
DISABLE_AFTER: Final = timedelta(hours=24)
"""An endpoint that failed for so long without a single delivery gets nothing more."""


def wait_after(attempts: int) -> timedelta | None:
    """How long to wait after so many attempts have failed; None when there is no further one."""
    if attempts > len(WAITS):
        return None
    seconds = WAITS[attempts - 1]
    return timedelta(seconds=random.uniform(seconds, seconds * (1 + JITTER)))  # noqa: S311
