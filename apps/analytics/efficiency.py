"""The efficiency score of a version: 0 to 100, made of what is known of it. Pure.

Each part lies between 0 and 1 and has a weight; the score is their weighted mean. A part that isn't known is
left out, says why, and hands its weight to the others, so that nothing unknown counts as bad or as good.
Cost and speed are measured against the best of the prompt's own versions: what an answer may cost or how long
it may take differs from prompt to prompt, so there is no absolute scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

LEAST_REQUESTS: Final = 30
LEAST_SCORES: Final = 5
FORMULA: Final = (
    "Score = 100 × the weighted mean of: "
    "success (weight 35) = 1 − failures other than of the schema ÷ requests that were not cancelled; "
    "satisfaction (20) = (mean score − 1) ÷ 4; "
    "valid answers (15) = 1 − schema failures ÷ requests that were not cancelled; "
    "cost (15) = the lowest cost per request among this prompt's versions ÷ this version's; "
    "speed (15) = the lowest median latency among this prompt's versions ÷ this version's. "
    f"A part that is not known is left out and its weight shared among the others. "
    f"Below {LEAST_REQUESTS} requests there is no score."
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of one version. None where something isn't known.

    ``requests`` are those that nobody cancelled; ``has_schema`` tells whether its answers have to fit one.
    ``cost`` is the mean in US dollars over ``priced`` requests; ``latency`` the median in ms over ``timed``.
    """

    requests: int
    failed: int
    schema_failures: int
    has_schema: bool
    satisfaction: float | None
    scores: int
    cost: Decimal | None
    priced: int
    latency: float | None
    timed: int


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a score: from 0 to 1, or why there is none."""

    key: str
    words: str
    weight: int
    value: float | None
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Efficiency:
    """A version's score with its parts, of `n` requests; ``value`` is None where ``missing`` says why."""

    value: float | None
    n: int
    parts: tuple[Part, ...]
    missing: str = ""

    @property
    def left_out(self) -> tuple[Part, ...]:
        """The parts that are not known."""
        return tuple(part for part in self.parts if part.value is None)


def scores(versions: Sequence[Measured]) -> tuple[Efficiency, ...]:
    """The score of each of a prompt's versions, in their order."""
    costs = [version.cost for version in versions if _cost_is_known(version)]
    latencies = [version.latency for version in versions if _latency_is_known(version)]
    lowest_cost = min((cost for cost in costs if cost is not None), default=None)
    lowest_latency = min((each for each in latencies if each is not None), default=None)
    return tuple(
        _score(
            version,
            _cost(version, lowest_cost if len(costs) > 1 else None),
            _speed(version, lowest_latency if len(latencies) > 1 else None),
        )
        for version in versions
    )


def _score(version: Measured, cost: Part, speed: Part) -> Efficiency:
    parts = (_success(version), _satisfaction(version), _validity(version), cost, speed)
    if version.requests < LEAST_REQUESTS:
        missing = f"Fewer than {LEAST_REQUESTS} requests say too little."
        return Efficiency(None, version.requests, parts, missing)
    known = [(part.weight, part.value) for part in parts if part.value is not None]
    weights = sum(weight for weight, _ in known)
    return Efficiency(100 * sum(weight * value for weight, value in known) / weights, version.requests, parts)


def _success(version: Measured) -> Part:
    if not version.requests:
        return Part("success", "Success", 35, None, "No requests.")
    # An answer that breaks its schema counts once, in the part that is about it.
    failed = version.failed - version.schema_failures if version.has_schema else version.failed
    return Part("success", "Success", 35, 1 - failed / version.requests)


def _satisfaction(version: Measured) -> Part:
    if version.satisfaction is None or version.scores < LEAST_SCORES:
        return Part("satisfaction", "Satisfaction", 20, None, f"Fewer than {LEAST_SCORES} scores were given.")
    return Part("satisfaction", "Satisfaction", 20, (version.satisfaction - 1) / 4)


def _validity(version: Measured) -> Part:
    if not version.has_schema:
        return Part("validity", "Valid answers", 15, None, "The version has no output schema.")
    if not version.requests:
        return Part("validity", "Valid answers", 15, None, "No requests.")
    return Part("validity", "Valid answers", 15, 1 - version.schema_failures / version.requests)


def _cost(version: Measured, lowest: Decimal | None) -> Part:
    if not _cost_is_known(version):
        reason = f"The price of fewer than {LEAST_REQUESTS} requests is known."
        return Part("cost", "Cost", 15, None, reason)
    if lowest is None:
        return Part("cost", "Cost", 15, None, "There is no other version to compare with.")
    if not lowest:
        return Part("cost", "Cost", 15, None, "The cheapest version is free, so there is no ratio.")
    assert version.cost is not None
    return Part("cost", "Cost", 15, float(lowest / version.cost))


def _speed(version: Measured, lowest: float | None) -> Part:
    if not _latency_is_known(version):
        return Part("speed", "Speed", 15, None, f"Fewer than {LEAST_REQUESTS} answers were timed.")
    if lowest is None:
        return Part("speed", "Speed", 15, None, "There is no other version to compare with.")
    # Half a millisecond at least: an answer that took none is no division by zero.
    return Part("speed", "Speed", 15, max(lowest, 0.5) / max(version.latency or 0, 0.5))


def _cost_is_known(version: Measured) -> bool:
    return version.cost is not None and version.priced >= LEAST_REQUESTS


def _latency_is_known(version: Measured) -> bool:
    return version.latency is not None and version.timed >= LEAST_REQUESTS
