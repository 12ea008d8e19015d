"""What the queries answer with. Nothing here can be changed once it is made."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from apps.analytics import metrics
from apps.analytics.metrics import NOTHING, Metric, Sums, Value
from apps.analytics.periods import Period

Kind: TypeAlias = Literal["all", "value", "none", "others"]


@dataclass(frozen=True, slots=True)
class Group:
    """What a line or a row is about.

    ``value`` is how a filter names it: a public id, a name, or "-". All others together, and everything,
    have none.
    """

    kind: Kind
    value: str
    name: str


EVERYTHING: Final = Group("all", "", "All requests")
OTHERS: Final = Group("others", "", "All others")
REST: Final = "\0"
"""The key of all others among the keys of groups; no value of a dimension holds a NUL."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Every metric of some runs: ``figures["error_rate"]``. None is unknown, or nothing to measure."""

    sums: Sums = NOTHING

    def __getitem__(self, key: str) -> Value:
        return metrics.value(key, self.sums)

    @property
    def requests(self) -> int:
        """How many runs these figures are of."""
        return self.sums.requests

    @property
    def incomplete(self) -> bool:
        """Whether the cost leaves out requests whose price is unknown."""
        return self.sums.unknown_price > 0


@dataclass(frozen=True, slots=True)
class Point:
    """The figures of one interval; ``partial`` while it is not over."""

    starts_at: datetime
    figures: Figures
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One group's points and total, and where it was asked for those of the period before.

    ``previous`` ends after the same time as this period has come to; ``previous_points`` are whole intervals.
    """

    group: Group
    points: tuple[Point, ...]
    total: Figures
    previous: Figures | None = None
    previous_points: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """Lines over time, the largest first, all others together last."""

    period: Period
    metrics: tuple[Metric, ...]
    lines: tuple[Line, ...]

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a whole period, and of the one before; failed requests by class, the most first."""

    period: Period
    total: Figures
    previous: Figures | None
    errors: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One group of a breakdown; ``share`` is its part of the sum that the breakdown is ordered by."""

    group: Group
    total: Figures
    previous: Figures | None = None
    share: float | None = None
