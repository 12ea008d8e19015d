"""What `bench/degradation.py` measured of both rules, for the page that lets one choose.

False alarms a version and month on 200 made-up series of two days each, by metric: statistical, then simple.
"""

from typing import Final

FALSE_ALARMS: Final[dict[str, tuple[float, float | None]]] = {
    "error_rate": (0.54, 2.8),
    "latency": (0.61, 70.0),
    "cost": (0.31, None),
    "schema_failures": (0.08, None),
    "feedback": (0.08, None),
}
POWER_WORDS: Final = (
    "Of error rates that doubled, the statistical test found 95 % within three periods of five minutes where"
    " 80 failed calls in a quarter of an hour had been usual, 97 % within an hour where 20 to 40 had been,"
    " and 12 % where under 10 had been: a doubling among few calls can't be told from chance so soon. The"
    " simple rule found 2 % where 80 had been usual, since it looks for ten percentage points."
)
