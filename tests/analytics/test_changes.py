"""What changed most, by a stated rule: enough calls on both sides, and more than chance."""

from decimal import Decimal

from apps.analytics.changes import what_changed
from apps.analytics.metrics import Sums
from apps.analytics.queries import Figures, Group, Row


def row(name: str, now: Sums, before: Sums) -> Row:
    return Row(Group("value", name, name), Figures(now), Figures(before))


def sums(requests: int = 1_000, **more: object) -> Sums:
    return Sums(requests=requests, **more)  # type: ignore[arg-type]


def test_changes__error_rate_up_and_cost_down__largest_first() -> None:
    worse = row("worse", sums(failed=60), sums(failed=10))
    cheaper = row("cheaper", sums(cost=Decimal(5), priced=1_000), sums(cost=Decimal(10), priced=1_000))
    found = what_changed([worse, cheaper], 8)
    assert [(each.group.name, each.metric) for each in found] == [
        ("cheaper", "cost_per_request"),
        ("worse", "error_rate"),
    ]
    assert (found[1].before, found[1].now) == (0.01, 0.06)


def test_changes__few_calls_or_mere_chance__none() -> None:
    few = row("few", sums(40, failed=20), sums(40))
    chance = row("chance", sums(100, failed=3), sums(100, failed=1))
    ratings = row(
        "ratings",
        sums(feedback_sum=44, feedback_count=11),
        sums(feedback_sum=40, feedback_count=11),
    )
    assert what_changed([few, chance, ratings], 8) == []


def test_changes__many_ratings__are_more_than_chance() -> None:
    rated = row(
        "rated",
        sums(feedback_sum=4_500, feedback_count=1_000),
        sums(feedback_sum=4_000, feedback_count=1_000),
    )
    assert [each.metric for each in what_changed([rated], 8)] == ["satisfaction"]


def test_changes__prices_unknown_or_no_answers__no_ratio() -> None:
    unknown = row("unknown", sums(unknown_price=1_000), sums(cost=Decimal(1), priced=1_000))
    slow = row("slow", sums(latency={500: 100}), sums(latency={400: 100}))
    assert [each.metric for each in what_changed([unknown, slow], 8)] == ["latency_p95"]
