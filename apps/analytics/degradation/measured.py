"""What `bench/degradation.py` measured of both rules, for the page that lets one choose.

False alarms a version and month on 200 made-up series of two days each, by metric: statistical, then simple.
"""

from typing import Final

FALSE_ALARMS: Final[dict[str, tuple[float, float | None]]] = {
    "error_rate": (0.54, 2.8),
    "latency": (0.69, 70.0),
    "cost": (0.38, None),
    "schema_failures": (0.0, None),
    "feedback": (0.08, None),
}
POWER_WORDS: Final = (
    "Of error rates that doubled, the statistical test found 95 % within three periods of five minutes where"
    " 80 failed calls in a quarter of an hour had been usual, 97 % within an hour where it had been 20, and"
    " hardly any where it had been under 10: a version with few calls can only be judged later, by eye. The"
    " simple rule found 2 % of them, since it looks for ten percentage points."
)
