"""What the processes count for Prometheus: one registry, labels that can't grow without bound, requests.

With PROMETHEUS_MULTIPROC_DIR set, counts lie in memory-mapped files that all processes of one server share,
so each of them can tell the figures of all; without it they lie in this process. Nothing that a customer
wrote and nothing that names a person may become a label.
"""

import fcntl
import os
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TextIO

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    values,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from apps.core import tallies

OTHER: Final = "other"
FOLDER: Final = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
# Values without a name of their own that are known as such; more than these are looked up each time.
REMEMBERED: Final = 20_000
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
REQUEST_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

_slot = ""


def _who() -> int | str:
    return _slot or os.getpid()


if FOLDER:
    values.ValueClass = values.MultiProcessValue(_who)  # type: ignore[no-untyped-call]
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY: Final = CollectorRegistry()


def take_slot(name: str) -> None:
    """Let this process go on where the last one of that name has ended, instead of adding files of its own.

    For short-lived processes of which no two live at once, such as the process of a worker's job.
    """
    global _slot
    _slot = name


def counter(name: str, help_text: str, labels: Sequence[str] = ()) -> Counter:
    """A counter; it is exported with `_total` at its end."""
    return Counter(name, help_text, labels, registry=REGISTRY)


def histogram(name: str, help_text: str, labels: Sequence[str], buckets: Sequence[float]) -> Histogram:
    """A histogram with these upper bounds."""
    return Histogram(name, help_text, labels, registry=REGISTRY, buckets=buckets)


def summed_gauge(name: str, help_text: str, labels: Sequence[str] = ()) -> Gauge:
    """A value of now that adds up over the living processes of a server."""
    return Gauge(name, help_text, labels, registry=REGISTRY, multiprocess_mode="livesum")


def highest_gauge(name: str, help_text: str) -> Gauge:
    """A value of now of which the highest among the living processes of a server counts."""
    return Gauge(name, help_text, registry=REGISTRY, multiprocess_mode="livemax")


def counted() -> CollectorRegistry:
    """A new registry with everything that the processes of this server have counted."""
    tallies.flush()
    registry = CollectorRegistry()
    if not FOLDER:
        registry.register(REGISTRY)
        return registry
    _forget_the_dead(Path(FOLDER))
    registry.register(_Shared(FOLDER))
    return registry


class _Shared(Collector):
    """What lies in the folder, without what libraries count for themselves in passing."""

    def __init__(self, folder: str) -> None:
        self._files = MultiProcessCollector(None, folder)  # type: ignore[no-untyped-call]

    def collect(self) -> Iterable[Metric]:
        """Our own."""
        ours = set(REGISTRY._names_to_collectors)
        for metric in self._files.collect():  # type: ignore[no-untyped-call]
            if metric.name in ours:
                yield metric


def _forget_the_dead(folder: Path) -> None:
    """A process that has ended holds nothing any more; what it counted stays."""
    for file in folder.glob("gauge_live*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdigit() and not _lives(int(pid)):
            with suppress(FileNotFoundError):
                file.unlink()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class BoundedValues:
    """A label's values: the first `limit` that come keep their name, all later ones are told as "other".

    All processes of a server agree on which these are, or a value's counts would be torn in two.
    """

    def __init__(self, name: str, limit: int) -> None:
        self._limit = limit
        self._names: dict[Hashable, str] = {}
        # Every name that is kept, once there is room for no more.
        self._closed: frozenset[str] | None = None
        self._file = Path(FOLDER) / f"{name}.values" if FOLDER else None

    def name(self, value: Hashable, text: Callable[[], str]) -> str:
        """The label of a value; `text` gives the name of one that isn't known yet."""
        found = self._names.get(value)
        if found is not None:
            return found
        name = text()
        kept = name in self._closed if self._closed is not None else self._admit(name)
        if not kept:
            name = OTHER
        if kept or len(self._names) < REMEMBERED:
            self._names[value] = name
        return name

    def _admit(self, name: str) -> bool:
        if self._file is None:
            return self._has_room(list(self._names.values()))
        try:
            with self._file.open("a+", encoding="utf-8") as file:
                return self._admit_for_all(name, file)
        except OSError:
            # Somebody has tidied up: what is known stays, and no run may fail for it.
            self._closed = frozenset(self._names.values()) - {OTHER}
            return False

    def _admit_for_all(self, name: str, file: TextIO) -> bool:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = file.read().splitlines()
        if name in known:
            return True
        if not self._has_room(known):
            return False
        file.write(f"{name}\n")
        return True

    def _has_room(self, known: list[str]) -> bool:
        if len(known) < self._limit:
            return True
        self._closed = frozenset(known)
        return False


HTTP_REQUESTS: Final = counter(
    "promptsaas_http_requests",
    "Requests answered, by the pattern of their address.",
    ("method", "route", "status"),
)
HTTP_SECONDS: Final = histogram(
    "promptsaas_http_request_duration_seconds",
    "Time from a request to the end of its answer, in seconds.",
    ("method", "route"),
    REQUEST_SECONDS,
)
_Requests = tuple[Counter, Histogram]
_requests: dict[tuple[str, str, int], _Requests] = {}


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count an answered request. `route` is a pattern from a table, never the address itself."""
    series = _requests.get((method, route, status))
    if series is None:
        series = _series_of(method, route, status)
    tallies.count(series[0])
    tallies.observe(series[1], seconds)


def _series_of(method: str, route: str, status: int) -> _Requests:
    known = method if method in METHODS else OTHER
    series = (HTTP_REQUESTS.labels(known, route, str(status)), HTTP_SECONDS.labels(known, route))
    if known == method:
        _requests[method, route, status] = series
    return series
