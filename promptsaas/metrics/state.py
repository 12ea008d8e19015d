"""What waits and how long it has waited: read from Postgres and Redis while Prometheus asks.

Only cron tells it, so that nothing is told twice. Every step has a time limit and fails alone: with Postgres
or Redis away the rest is told all the same, and `promptsaas_source_up` says what is missing. A figure that
can't be read is left out, never 0.
"""

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from apps.core.change_readers import connection_parameters
from apps.core.logs import get_logger
from apps.core.scope import SYSTEM_ROLE
from promptsaas.metrics.queues import queue_figures
from promptsaas.metrics.readings import READINGS, Reading

CONNECT_SECONDS: Final = 2
STATEMENT_MS: Final = 1_000
# Prometheus waits ten seconds unless told otherwise.
ALL_SECONDS: Final = 5.0
# Several may ask; Postgres is asked once.
KEPT_SECONDS: Final = 1.0

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Kept:
    families: Sequence[Metric]
    at: float


class StateCollector(Collector):
    """Reads the state; safe to be asked by several threads."""

    def __init__(self, readings: Sequence[Reading] = READINGS) -> None:
        self._readings = readings
        self._lock = threading.Lock()
        self._kept: _Kept | None = None

    def collect(self) -> Iterable[Metric]:
        """Every figure that can be read, and which sources answered."""
        with self._lock:
            if self._kept is None or time.monotonic() - self._kept.at > KEPT_SECONDS:
                self._kept = _Kept(self._read(), time.monotonic())
            return self._kept.families

    def _read(self) -> list[Metric]:
        up = GaugeMetricFamily(
            "promptsaas_source_up", "Whether a source was read wholly.", labels=("source",)
        )
        found: list[Metric] = []
        for source, read in (("redis", queue_figures), ("postgres", self._database_figures)):
            started = time.monotonic()
            figures, whole = read()
            found.extend(figures)
            up.add_metric([source], float(whole))
            if not whole:
                logger.warning(
                    "metrics.source_failed",
                    extra={"source": source, "seconds": round(time.monotonic() - started, 1)},
                )
        return [*found, up]

    def _database_figures(self) -> tuple[list[Metric], bool]:
        until = time.monotonic() + ALL_SECONDS
        found: list[Metric] = []
        try:
            with psycopg.connect(**_parameters(), autocommit=True) as connection:
                for reading in self._readings:
                    if time.monotonic() > until:
                        break
                    found.extend(_read_one(connection, reading))
        except (psycopg.Error, OSError) as error:
            logger.info("metrics.postgres_failed", extra={"error": str(error)})
            return found, False
        return found, len(found) >= sum(len(reading.families) for reading in self._readings)


def _parameters() -> dict[str, Any]:
    # A network that swallows packets is noticed by the kernel: Postgres's own limits end nothing there.
    return connection_parameters() | {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": 3_000}


def _read_one(connection: psycopg.Connection[Any], reading: Reading) -> list[Metric]:
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL statement_timeout = {STATEMENT_MS}")
            if reading.as_system:
                connection.execute(f"SET LOCAL ROLE {SYSTEM_ROLE}")
            rows = connection.execute(reading.query).fetchall()
    except psycopg.DatabaseError as error:
        if connection.closed:
            raise
        # Too slow at present, or a table that the next migration brings: the others may do.
        logger.info("metrics.reading_failed", extra={"error": str(error)})
        return []
    return reading.told(rows)
