"""The catalogue of metrics, by hand; what is unknown is never 0."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from apps.analytics import histograms, metrics, wording
from apps.analytics.metrics import METRICS, NOTHING, Sums

TEN = Sums(
    requests=10,
    failed=2,
    cancelled=1,
    schema_failures=1,
    cache_hits=2,
    input_tokens=700,
    output_tokens=70,
    cached_tokens=40,
    unknown_tokens=1,
    cost=Decimal("0.06"),
    priced=4,
    free=2,
    unknown_price=1,
    latency_sum=100 + 120 + 120 + 90 + 110,
    feedback_sum=13,
    feedback_count=3,
    latency=histograms.histogram_of([100, 120, 120, 90, 110]).as_mapping(),
    errors={"provider_timeout": 1, "output_invalid": 1},
)
BY_HAND = {
    "requests": 10,
    "errors": 2,
    "error_rate": 0.2,
    "cancelled": 1,
    "input_tokens": 700,
    "output_tokens": 70,
    "cached_tokens": 40,
    "total_tokens": 770,
    "unknown_tokens": 1,
    "cost": Decimal("0.06"),
    "unknown_price": 1,
    "free": 2,
    "priced": 4,
    "cost_per_request": Decimal("0.01"),
    "latency_p50": 110,
    "latency_p95": 120,
    "latency_p99": 120,
    "latency_mean": 108,
    "cache_hits": 2,
    "cache_hit_rate": 0.2,
    "schema_failures": 1,
    "schema_failure_rate": 0.1,
    "satisfaction": pytest.approx(13 / 3),
    "feedback_count": 3,
}
COUNTS = {key for key, metric in METRICS.items() if metric.unit == "count"}


def test_metrics__of_ten_requests__are_what_a_hand_makes_of_them() -> None:
    assert {key: metrics.value(key, TEN) for key in METRICS} == BY_HAND


def test_metrics__each_of_them__is_explained_on_the_page_about_the_api() -> None:
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    assert [key for key in METRICS if f"`{key}`" not in page] == []


def test_metrics__of_nothing__are_no_value_but_for_counts() -> None:
    values = {key: metrics.value(key, NOTHING) for key in METRICS}
    assert {key for key, value in values.items() if value == 0} == COUNTS
    assert {key for key, value in values.items() if value is None} == set(METRICS) - COUNTS


def test_metrics__without_a_known_price__cost_nobody_knows_what() -> None:
    unpriced = replace(TEN, cost=Decimal(0), priced=0, free=0, unknown_price=7)
    assert metrics.value("cost", unpriced) is None
    assert metrics.value("cost_per_request", unpriced) is None
    # Nothing that was called has a price of its own: what none of these requests cost is known.
    assert metrics.value("cost", replace(unpriced, unknown_price=0)) == 0
    assert metrics.value("total_tokens", replace(TEN, unknown_tokens=10)) is None


def test_sums__added__are_those_of_both() -> None:
    other = replace(TEN, errors={"provider_timeout": 3}, latency={100: 1, 5: 2}, cost=Decimal("0.5"))
    added = TEN + other
    assert (added.requests, added.cost, added.feedback_count) == (20, Decimal("0.56"), 6)
    assert added.errors == {"provider_timeout": 4, "output_invalid": 1}
    assert added.latency == {90: 1, 100: 2, 110: 1, 120: 2, 5: 2}
    assert metrics.total([]) == NOTHING
    assert NOTHING + TEN == TEN


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("requests", 1234, "1,234"),
        ("cost", Decimal("0.0042"), "$0.004200"),
        ("cost", None, "unknown"),
        ("error_rate", 0.0213, "2.1\N{NO-BREAK SPACE}%"),
        ("latency_p95", 412.5, "412\N{NO-BREAK SPACE}ms"),
        ("satisfaction", 4.312, "4.31 of 5"),
    ],
)
def test_format_value__of_a_unit__is_words(key: str, value: object, words: str) -> None:
    assert wording.format_value(key, value) == words  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "now", "before", "change"),
    [
        ("requests", 15, 10, ("50.0\N{NO-BREAK SPACE}%", "up", "neutral")),
        ("error_rate", 0.05, 0.02, ("3.0\N{NO-BREAK SPACE}points", "up", "bad")),
        ("satisfaction", 4.5, 4.0, ("12.5\N{NO-BREAK SPACE}%", "up", "good")),
        ("latency_p50", 90, 100, ("10.0\N{NO-BREAK SPACE}%", "down", "good")),
        ("errors", 3, 0, ("from 0", "up", "bad")),
        ("requests", 10, 10, ("no change", "same", "neutral")),
        ("cost", None, Decimal(1), ("unknown", "unknown", "neutral")),
    ],
)
def test_format_change__of_two_values__says_how_much_and_whether_it_is_better(
    key: str, now: object, before: object, change: tuple[str, str, str]
) -> None:
    found = wording.format_change(key, now, before)  # type: ignore[arg-type]
    assert (found.words, found.direction, found.verdict) == change


def test_missing__where_requests_have_no_value__is_unknown_of_money_only() -> None:
    assert wording.missing("cost", TEN) == "unknown"
    assert wording.missing("cost", NOTHING) == "no data"
    assert wording.missing("satisfaction", TEN) == "no data"
