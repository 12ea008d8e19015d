"""Counts that are gathered: none is lost, none is told late, whoever asks."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from apps.core import metrics, tallies
from apps.core.metrics import count_request

VALUES = [0.1, 1.0, 1.0, 2.5, 99.0]


def told(registry: CollectorRegistry) -> dict[str, float]:
    """Every sample of a registry."""
    samples = (sample for metric in registry.collect() for sample in metric.samples)
    return {f"{sample.name}{sample.labels}": sample.value for sample in samples}


async def counted(gathers: bool) -> dict[str, float]:
    """What values come to, with and without being gathered."""
    registry = CollectorRegistry()
    counter = Counter("done", "Done.", ("who",), registry=registry)
    histogram = Histogram("took", "Took.", ("who",), registry=registry, buckets=(0.5, 1.0, 2.0))
    if not gathers:
        for value in VALUES:
            counter.labels("a").inc(value)
            histogram.labels("a").observe(value)
        return told(registry)
    async with tallies.gathering():
        for value in VALUES:
            tallies.count(counter.labels("a"), value)
            tallies.observe(histogram.labels("a"), value)
        assert told(registry)["done_total{'who': 'a'}"] == 0
    return told(registry)


def test_gathering__many_values__come_to_what_each_alone_comes_to() -> None:
    assert asyncio.run(counted(gathers=True)) == pytest.approx(asyncio.run(counted(gathers=False)))


def test_gathering__who_asks_for_the_figures__is_told_what_was_just_counted() -> None:
    async def ask() -> float | None:
        labels = {"method": "GET", "route": "/gathered", "status": "200"}
        async with tallies.gathering():
            count_request("GET", "/gathered", 200, 0.01)
            return metrics.counted().get_sample_value("promptsaas_http_requests_total", labels)

    assert asyncio.run(ask()) == 1


def test_count__nothing_gathered__is_told_at_once() -> None:
    registry = CollectorRegistry()
    counter = Counter("done", "Done.", registry=registry)
    tallies.count(counter)
    assert registry.get_sample_value("done_total") == 1
