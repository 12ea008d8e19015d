"""Histograms against exact percentiles."""

import random
from math import ceil

import pytest
from django.db import connection

from apps.analytics import histograms
from apps.analytics.histograms import Histogram, bucket_of, histogram_of, merge, percentile, value_of

EDGES = sorted(
    {max(0, (1 << power) + step) for power in range(32) for step in (-1, 0, 1)} - {1 << 31, (1 << 31) + 1}
)


def _exact(values: list[int], share: float) -> int:
    return sorted(values)[max(1, ceil(share * len(values))) - 1]


@pytest.mark.parametrize("seed", range(20))
def test_percentile__of_any_values__is_within_one_percent(seed: int) -> None:
    chance = random.Random(seed)
    spread = chance.choice((10, 300, 9_000, 120_000, 2**31 - 1))
    uniform = chance.random() < 0.5
    values = [
        chance.randint(0, spread) if uniform else int(spread ** chance.random())
        for _ in range(chance.choice((1, 2, 3, 50, 2_000)))
    ]
    counts = histogram_of(values).as_mapping()
    for share in (0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0):
        exact, found = _exact(values, share), percentile(counts, share)
        assert found is not None
        assert abs(found - exact) <= exact / 100, (share, exact, found)


def test_merge__of_parts__is_the_histogram_of_the_whole() -> None:
    chance = random.Random(1)
    parts = [[chance.randint(0, 100_000) for _ in range(chance.randint(0, 99))] for _ in range(30)]
    whole = histogram_of(value for part in parts for value in part)
    assert merge(map(histogram_of, parts)) == whole
    assert whole.total == sum(map(len, parts))


def test_bucket__of_every_value__holds_it_and_is_in_order() -> None:
    buckets = [bucket_of(value) for value in range(5_000)]
    assert buckets == sorted(buckets)
    assert set(buckets) == set(range(max(buckets) + 1))
    for value in EDGES:
        assert abs(value_of(bucket_of(value)) - value) <= value / 128
        assert bucket_of(value) < histograms.MOST_BUCKETS
    assert bucket_of(-5) == bucket_of(0) == 0


def test_percentile__without_values__is_none() -> None:
    assert percentile({}, 0.5) is None
    assert Histogram().total == 0


@pytest.mark.django_db
def test_bucket_in_sql__of_every_edge__is_that_of_python() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {histograms.bucket_sql('v')} FROM unnest(%s::int[]) AS v", [EDGES])
        assert [row[0] for row in cursor.fetchall()] == [bucket_of(value) for value in EDGES]
