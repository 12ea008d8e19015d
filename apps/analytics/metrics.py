"""What can be asked of runs: every metric with its words, its unit, and how it comes out of roll-ups' sums.

Pure. A value of None means unknown or nothing to measure, and is never shown as 0: counts of nothing are 0,
but what no run cost, took or said is nobody's to know.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from apps.analytics import histograms

Value: TypeAlias = int | float | Decimal | None
Unit: TypeAlias = Literal["count", "share", "usd", "ms", "tokens", "score"]
Better: TypeAlias = Literal["higher", "lower", "neither"]
Need: TypeAlias = Literal["latency", "errors"]

EVERYTHING: Final[frozenset[Need]] = frozenset(("latency", "errors"))
NONE_NEEDED: Final[frozenset[Need]] = frozenset()
ERRORS: Final[frozenset[Need]] = frozenset(("errors",))


@dataclass(frozen=True, slots=True)
class Sums:
    """What runs add up to. Adding two gives the sums of both sets of runs.

    ``cost`` is in US dollars and of known prices; ``latency`` counts succeeded runs that a provider answered
    by histogram bucket, ``latency_sum`` is theirs in ms; ``errors`` counts failed runs by class. The two
    mappings are empty where they were not asked for.
    """

    requests: int = 0
    failed: int = 0
    cancelled: int = 0
    schema_failures: int = 0
    cache_hits: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    unknown_tokens: int = 0
    priced: int = 0
    free: int = 0
    unknown_price: int = 0
    latency_sum: int = 0
    feedback_sum: int = 0
    feedback_count: int = 0
    cost: Decimal = Decimal(0)
    latency: Mapping[int, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Sums") -> "Sums":
        return total((self, other))


NOTHING: Final = Sums()
COUNTS: Final = tuple(each.name for each in fields(Sums) if each.type is int)
"""The sums that are whole numbers, in the order that ``Sums`` takes them."""


def total(parts: Iterable[Sums]) -> Sums:
    """The sums of all parts together."""
    every = list(parts)
    if len(every) == 1:
        return every[0]
    latency: dict[int, int] = {}
    errors: dict[str, int] = {}
    for part in every:
        for bucket, count in part.latency.items():
            latency[bucket] = latency.get(bucket, 0) + count
        for name, count in part.errors.items():
            errors[name] = errors.get(name, 0) + count
    numbers = {name: sum(getattr(part, name) for part in every) for name in COUNTS}
    cost = sum((part.cost for part in every), Decimal(0))
    return Sums(**numbers, cost=cost, latency=latency, errors=errors)


@dataclass(frozen=True, slots=True)
class Metric:
    """One thing to ask.

    ``column`` is the sum that a ranking goes by, ``needs`` what of ``Sums`` is loaded for it alone.
    """

    key: str
    words: str
    unit: Unit
    better: Better
    value: Callable[[Sums], Value]
    column: str
    explanation: str
    needs: Need | None = None


def find(key: str) -> Metric:
    """A metric by its key. Raises KeyError."""
    return METRICS[key]


def value(key: str, sums: Sums) -> Value:
    """What a metric is for these sums. Raises KeyError."""
    return METRICS[key].value(sums)


def needed(keys: Iterable[str]) -> frozenset[Need]:
    """What beside the plain numbers has to be loaded for these metrics."""
    return frozenset(need for key in keys if (need := METRICS[key].needs) is not None)


def _count(name: str) -> Callable[[Sums], Value]:
    return lambda sums: int(getattr(sums, name))


def _tokens(*names: str) -> Callable[[Sums], Value]:
    """A sum of tokens; None where no run's are known."""

    def counted(sums: Sums) -> Value:
        if sums.requests <= sums.unknown_tokens:
            return None
        return sum(int(getattr(sums, name)) for name in names)

    return counted


def _share(part: str, whole: str) -> Callable[[Sums], Value]:
    """One sum divided by another: a share, or a mean; None of nothing."""

    def shared(sums: Sums) -> Value:
        divisor = int(getattr(sums, whole))
        return int(getattr(sums, part)) / divisor if divisor else None

    return shared


def _cost(sums: Sums) -> Value:
    known = sums.priced + sums.free
    if sums.requests == 0 or (known == 0 and sums.unknown_price > 0):
        return None
    return sums.cost


def _cost_per_request(sums: Sums) -> Value:
    known = sums.priced + sums.free
    return round(sums.cost / known, 10) if known else None


def _latency(share: float) -> Callable[[Sums], Value]:
    return lambda sums: histograms.percentile(sums.latency, share)


def _latency_mean(sums: Sums) -> Value:
    count = sum(sums.latency.values())
    return sums.latency_sum / count if count else None


_LATENCY: Final = "Of succeeded requests that a provider answered; answers from the cache are left out."
_ALL: Final = (
    Metric("requests", "Requests", "count", "neither", _count("requests"), "requests", "Every run."),
    Metric("errors", "Errors", "count", "lower", _count("failed"), "failed", "Runs that failed."),
    Metric(
        "error_rate",
        "Error rate",
        "share",
        "lower",
        _share("failed", "requests"),
        "failed",
        "Failed runs as a share of all requests.",
    ),
    Metric(
        "cancelled",
        "Cancelled",
        "count",
        "neither",
        _count("cancelled"),
        "cancelled",
        "Runs that their caller broke off; they are no errors.",
    ),
    Metric(
        "input_tokens",
        "Input tokens",
        "tokens",
        "neither",
        _tokens("input_tokens"),
        "input_tokens",
        "As reported by the provider, those from its cache included.",
    ),
    Metric(
        "output_tokens",
        "Output tokens",
        "tokens",
        "neither",
        _tokens("output_tokens"),
        "output_tokens",
        "As reported by the provider.",
    ),
    Metric(
        "cached_tokens",
        "Cached input tokens",
        "tokens",
        "neither",
        _tokens("cached_tokens"),
        "cached_tokens",
        "Input tokens that the provider read from its cache; they are among the input tokens.",
    ),
    Metric(
        "total_tokens",
        "Tokens",
        "tokens",
        "neither",
        _tokens("input_tokens", "output_tokens"),
        "input_tokens",
        "Input and output tokens together.",
    ),
    Metric(
        "unknown_tokens",
        "Requests of unknown tokens",
        "count",
        "lower",
        _count("unknown_tokens"),
        "unknown_tokens",
        "Requests whose provider did not say how many tokens they used.",
    ),
    Metric(
        "cost",
        "Cost",
        "usd",
        "lower",
        _cost,
        "cost",
        "What requests of a known price cost; those of an unknown price are counted apart.",
    ),
    Metric(
        "unknown_price",
        "Requests of unknown price",
        "count",
        "lower",
        _count("unknown_price"),
        "unknown_price",
        "Requests whose price or tokens are unknown; their cost is in no sum.",
    ),
    Metric(
        "free",
        "Free requests",
        "count",
        "neither",
        _count("free"),
        "free",
        "Requests whose price is 0.",
    ),
    Metric(
        "priced",
        "Priced requests",
        "count",
        "neither",
        _count("priced"),
        "priced",
        "Requests whose price is known and above 0.",
    ),
    Metric(
        "cost_per_request",
        "Cost per request",
        "usd",
        "lower",
        _cost_per_request,
        "cost",
        "The mean over requests whose price is known.",
    ),
    Metric("latency_p50", "Latency, median", "ms", "lower", _latency(0.5), "requests", _LATENCY, "latency"),
    Metric("latency_p95", "Latency, p95", "ms", "lower", _latency(0.95), "requests", _LATENCY, "latency"),
    Metric("latency_p99", "Latency, p99", "ms", "lower", _latency(0.99), "requests", _LATENCY, "latency"),
    Metric(
        "latency_mean",
        "Latency, mean",
        "ms",
        "lower",
        _latency_mean,
        "requests",
        _LATENCY,
        "latency",
    ),
    Metric(
        "cache_hits",
        "Answers from the cache",
        "count",
        "neither",
        _count("cache_hits"),
        "cache_hits",
        "Requests that an earlier run's answer was given to.",
    ),
    Metric(
        "cache_hit_rate",
        "Cache hit rate",
        "share",
        "higher",
        _share("cache_hits", "requests"),
        "cache_hits",
        "Answers from the cache as a share of all requests.",
    ),
    Metric(
        "schema_failures",
        "Schema failures",
        "count",
        "lower",
        _count("schema_failures"),
        "schema_failures",
        "Requests whose last answer did not fit the prompt's output schema.",
    ),
    Metric(
        "schema_failure_rate",
        "Schema failure rate",
        "share",
        "lower",
        _share("schema_failures", "requests"),
        "schema_failures",
        "Schema failures as a share of all requests.",
    ),
    Metric(
        "satisfaction",
        "Satisfaction",
        "score",
        "higher",
        _share("feedback_sum", "feedback_count"),
        "feedback_count",
        "The mean score that people and programs gave, from 1 to 5.",
    ),
    Metric(
        "feedback_count",
        "Scores given",
        "count",
        "neither",
        _count("feedback_count"),
        "feedback_count",
        "How many scores the satisfaction is the mean of.",
    ),
)
METRICS: Final[dict[str, Metric]] = {metric.key: metric for metric in _ALL}
