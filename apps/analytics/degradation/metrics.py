"""What is watched: five metrics of a version, how each is compared and how much worse is worth a word."""

import enum
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple


class Point(NamedTuple):
    """What one period adds to a metric.

    `at` is the period's start in minutes since 1970. `number` is how many calls (or feedbacks) were measured,
    `total` the sum of their values, `squares` the sum of the squared values where it is known, else 0.
    For a rate each value is 0 or 1; latency is measured as the natural logarithm of milliseconds.
    """

    at: int
    number: float
    total: float
    squares: float = 0.0


class Family(enum.Enum):
    """How values are spread, which decides the scale of the comparison."""

    RATE = enum.auto()  # 0 or 1 a call: a likelihood ratio of two shares
    LOGARITHM = enum.auto()  # logarithms with their squares: Welch's test, differences are ratios
    AMOUNT = enum.auto()  # sums only: logarithms of the means of blocks
    SCORE = enum.auto()  # bounded marks, sums only: means of blocks


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that can get worse.

    `least_now` and `least_before` are the smallest samples that are judged, `least_bad` the fewest bad calls.
    `least_change` is the smallest change worth an incident, on the metric's scale of comparison: a difference
    of logarithms (0.0953 is 10 %), for marks a plain difference. `least_points` bounds a rate's rise in
    absolute terms as well. `season_weight` is how many calls (for rates: bad calls) an hour of the day needs
    before its own level counts half. `bar` is the score from which an incident opens.
    """

    key: str
    name: str
    family: Family
    least_now: int
    least_before: int
    least_change: float
    season_weight: float
    bar: float
    least_bad: int = 0
    least_points: float = 0.0
    lower_is_worse: bool = False

    @property
    def sign(self) -> float:
        """1 where more is worse, -1 where less is."""
        return -1.0 if self.lower_is_worse else 1.0

    @property
    def multiplicative(self) -> bool:
        """Whether an hour of the day scales the level; else it is added to it."""
        return self.family in (Family.RATE, Family.AMOUNT)


ERROR_RATE: Final = Metric(
    key="error_rate",
    name="Error rate",
    family=Family.RATE,
    least_now=30,
    least_before=200,
    least_change=math.log(1.5),
    least_points=0.005,
    least_bad=5,
    season_weight=10,
    bar=4.0,
)
SCHEMA_FAILURES: Final = Metric(
    key="schema_failures",
    name="Schema failures",
    family=Family.RATE,
    least_now=30,
    least_before=200,
    least_change=math.log(1.5),
    least_points=0.005,
    least_bad=5,
    season_weight=10,
    bar=4.0,
)
LATENCY: Final = Metric(
    key="latency",
    name="Latency",
    family=Family.LOGARITHM,
    least_now=30,
    least_before=200,
    least_change=math.log(1.1),
    season_weight=20,
    bar=4.1,
)
COST: Final = Metric(
    key="cost",
    name="Cost per call",
    family=Family.AMOUNT,
    least_now=30,
    least_before=200,
    least_change=math.log(1.15),
    season_weight=50,
    bar=4.1,
)
FEEDBACK: Final = Metric(
    key="feedback",
    name="Feedback",
    family=Family.SCORE,
    least_now=20,
    least_before=50,
    least_change=0.3,
    season_weight=150,
    bar=4.1,
    lower_is_worse=True,
)

METRICS: Final = (ERROR_RATE, LATENCY, COST, SCHEMA_FAILURES, FEEDBACK)
BY_KEY: Final = {metric.key: metric for metric in METRICS}


def summed(points: Iterable[Point], at: int = 0) -> Point:
    """The points as one that begins at `at`."""
    columns = list(zip(*points, strict=True))
    return Point(at, *map(sum, columns[1:])) if columns else Point(at, 0.0, 0.0)
