"""Histograms of milliseconds that add up: log-linear buckets, in whole numbers only. Pure.

Below 128 ms each millisecond has a bucket of its own; above, each power of two has 64 equal ones. The middle
of a bucket is therefore less than 1/128 (0.8 %) away from everything in it. Nothing is ever rounded, so
Postgres and Python put every value into the same bucket.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

_BITS: Final = 6
_HALF: Final = 1 << _BITS
"""Buckets of a power of two; values below twice as many stand for themselves."""
_DOUBLINGS: Final = tuple(_HALF << shift for shift in range(1, 31 - _BITS))
MOST_BUCKETS: Final = (len(_DOUBLINGS) + 2) * _HALF
"""How many different buckets a 32-bit number of milliseconds can fall into."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many values fell into which bucket; `buckets` are sorted and have no count of zero."""

    buckets: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        """How many values there are."""
        return sum(self.counts)

    def as_mapping(self) -> dict[int, int]:
        """Bucket to count."""
        return dict(zip(self.buckets, self.counts, strict=True))


def bucket_of(milliseconds: int) -> int:
    """The bucket of a value; what is negative counts as 0."""
    value = max(0, milliseconds)
    shift = max(0, value.bit_length() - _BITS - 1)
    return (shift << _BITS) + (value >> shift)


def value_of(bucket: int) -> float:
    """The middle of a bucket, in ms."""
    if bucket < 2 * _HALF:
        return float(bucket)
    shift = (bucket >> _BITS) - 1
    lowest = (bucket - (shift << _BITS)) << shift
    return lowest + ((1 << shift) - 1) / 2


def histogram_of(values: Iterable[int]) -> Histogram:
    """The histogram of some values in ms."""
    counts: dict[int, int] = {}
    for value in values:
        bucket = bucket_of(value)
        counts[bucket] = counts.get(bucket, 0) + 1
    return _sorted(counts)


def merge(histograms: Iterable[Histogram]) -> Histogram:
    """What all of them say together."""
    counts: dict[int, int] = {}
    for histogram in histograms:
        for bucket, count in zip(histogram.buckets, histogram.counts, strict=True):
            counts[bucket] = counts.get(bucket, 0) + count
    return _sorted(counts)


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """The value in ms that `share` (0 to 1) of the values don't exceed, within 1 %; None without values.

    It is the nearest rank, as Postgres's `percentile_disc` has it. `counts` goes by bucket.
    """
    total = sum(counts.values())
    if not total:
        return None
    rank = max(1, ceil(share * total))
    for bucket in sorted(counts):
        rank -= counts[bucket]
        if rank <= 0:
            return value_of(bucket)
    raise ValueError("share must lie between 0 and 1")


def bucket_sql(column: str) -> str:
    """SQL for the bucket of a column of whole milliseconds, which must not be negative."""
    doublings = ",".join(map(str, _DOUBLINGS))
    # The number of bounds that a value has reached is the number of bits that it loses.
    shift = f"width_bucket({column}, ARRAY[{doublings}])"
    return f"(({shift} << {_BITS}) + ({column} >> {shift}))"


def _sorted(counts: Mapping[int, int]) -> Histogram:
    present = sorted((bucket, count) for bucket, count in counts.items() if count)
    return Histogram(tuple(bucket for bucket, _ in present), tuple(count for _, count in present))
