"""What `bench/degradation.py` measured of both rules, for the page that lets one choose.

False alarms a version and month on 200 made-up series of two days each, by metric: statistical, then simple.
"""

from typing import Final

FALSE_ALARMS: Final[dict[str, tuple[float, float | None]]] = {
    "error_rate": (0.69, 2.76),
    "latency": (0.54, 70.5),
    "cost": (0.46, None),
    "schema_failures": (0.54, None),
    "feedback": (0.23, None),
}
POWER_WORDS: Final = (
    "Of error rates that doubled, the statistical test found 96 % within three periods of five minutes where"
    " 60 failed calls in a quarter of an hour had been usual, 98 % within an hour where 20 to 40 had been,"
    " and 14 % where under 10 had been: a doubling among few calls can't be told from chance so soon. The"
    " simple rule found 1 % where 60 had been usual, since it looks for ten percentage points."
)
