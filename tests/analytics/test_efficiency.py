"""The efficiency score: by hand, and silent where too little is known."""

from dataclasses import replace
from decimal import Decimal

import pytest

from apps.analytics.efficiency import FORMULA, Measured, scores

GOOD = Measured(
    requests=100,
    failed=10,
    schema_failures=5,
    has_schema=True,
    satisfaction=4.0,
    scores=20,
    cost=Decimal("0.02"),
    priced=90,
    latency=800.0,
    timed=85,
)
CHEAP = replace(GOOD, cost=Decimal("0.01"), latency=1000.0)


def test_scores__of_two_versions__are_the_weighted_mean_of_five_parts() -> None:
    good, cheap = scores([GOOD, CHEAP])
    # Success 0.95, satisfaction 0.75, valid answers 0.95; then cost and speed against the better of the two.
    known = 35 * 0.95 + 20 * 0.75 + 15 * 0.95
    assert good.value == pytest.approx(known + 15 * 0.5 + 15 * 1.0)
    assert cheap.value == pytest.approx(known + 15 * 1.0 + 15 * 0.8)
    assert (good.n, good.left_out, good.missing) == (100, (), "")
    assert all(str(part.weight) in FORMULA for part in good.parts)
    assert sum(part.weight for part in good.parts) == 100


def test_scores__of_the_only_version__leave_cost_and_speed_out() -> None:
    [only] = scores([GOOD])
    assert [part.key for part in only.left_out] == ["cost", "speed"]
    assert only.value == pytest.approx(100 * (35 * 0.95 + 20 * 0.75 + 15 * 0.95) / 70)


def test_scores__without_schema_scores_or_prices__say_what_is_left_out() -> None:
    bare = replace(GOOD, has_schema=False, schema_failures=0, satisfaction=4.9, scores=4, cost=None, priced=0)
    score, _ = scores([bare, GOOD])
    assert [part.key for part in score.left_out] == ["satisfaction", "validity", "cost"]
    assert all(part.missing for part in score.left_out)
    assert score.value == pytest.approx(100 * (35 * 0.9 + 15 * 1.0) / 50)


def test_scores__of_few_requests__are_unknown() -> None:
    few, many = scores([replace(GOOD, requests=29, failed=0, priced=29, timed=29), GOOD])
    assert (few.value, few.n) == (None, 29)
    assert "30" in few.missing
    # Nor is another version measured against what so few requests cost.
    assert [part.key for part in many.left_out] == ["cost", "speed"]
    assert scores([Measured(0, 0, 0, True, None, 0, None, 0, None, 0)])[0].value is None


def test_scores__of_a_free_version__divide_by_nothing() -> None:
    free, paid = scores([replace(GOOD, cost=Decimal(0), latency=0.0), GOOD])
    assert [part.key for part in free.left_out] == [part.key for part in paid.left_out] == ["cost"]
    assert free.value is not None
    assert 0 <= (paid.value or -1) <= free.value <= 100
