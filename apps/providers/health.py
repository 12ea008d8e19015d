"""What one process knows of a connection's health, and what it does about it. No I/O.

A breaker per provider and credential: it opens when at least half of the calls of the last ten seconds failed
for the provider's sake, lets one call try after a while, and closes as soon as one succeeds. A budget of
retries: at most a fifth of the recent calls, and a few more. See docs/decisions/0025.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from apps.providers.health_metrics import BREAKERS
from apps.providers.pace import Pace
from apps.providers.slots import Slots
from apps.providers.types import CallErrorReason, Connection, ProviderCallError
from apps.providers.windows import Counts, Window

State = Literal["closed", "open", "half_open"]

FEWEST_CALLS: Final = 5
OPENING_SHARE: Final = 0.5
FIRST_REST: Final = 2.0
LONGEST_REST: Final = 15.0
RETRY_SHARE: Final = 0.2
RETRY_FLOOR: Final = 10
SHOWN_SECONDS: Final = 300.0
LONGEST_ERROR: Final = 200
MOST_CONNECTIONS: Final = 10_000
MOST_LIMITED_MODELS: Final = 100
# Failures that say something of the provider's health; a bad key or a refused request does not.
UNHEALTHY: Final[frozenset[CallErrorReason]] = frozenset({"server", "timeout", "connection"})


@dataclass(frozen=True, slots=True)
class LastError:
    """The last failure of a connection, with the provider's words without secrets; `at` in Unix seconds."""

    reason: CallErrorReason
    message: str
    at: float


class ConnectionHealth:
    """One connection's, in one process and event loop."""

    def __init__(
        self,
        organization_id: UUID,
        connection: Connection,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.organization_id = organization_id
        self.credential_id = connection.credential_id
        self.kind = connection.kind
        self.slots = Slots(connection.concurrent_calls)
        self.pace = Pace(clock)
        self.last_error: LastError | None = None
        self.since = time.time()
        self._clock = clock
        self._window = Window()
        self._shown = Window(seconds=SHOWN_SECONDS / 10)
        self._retries = Window()
        self._state: State = "closed"
        self._rest = FIRST_REST
        self._open_until = 0.0
        self._limited: OrderedDict[str, float] = OrderedDict()

    @property
    def state(self) -> State:
        """Closed lets calls through, open lets none, half open waits for the outcome of one."""
        return self._state

    def admit(self) -> float:
        """0 when a call may be made, which `ended` then must be told of; else the seconds to wait.

        After the rest of an open breaker one call at a time is let through.
        """
        if self._state == "closed":
            return 0.0
        if self._state == "half_open":
            return 1.0
        wait = self._open_until - self._clock()
        if wait > 0:
            return max(1.0, wait)
        self._turn("half_open")
        return 0.0

    def ended(self, error: ProviderCallError | None) -> None:
        """Count a call that has ended, None for an answer."""
        now = self._clock()
        failed = error is not None and error.reason in UNHEALTHY and not _is_ours(error)
        self._set_pace(error)
        self._window.add(now, failed=failed)
        self._shown.add(now, failed=failed)
        if error is not None:
            self.last_error = LastError(error.reason, error.message[:LONGEST_ERROR], time.time())
        if failed:
            self._failed(now)
        elif self._state == "half_open":
            self._close()

    def abandoned(self) -> None:
        """A call was broken off by its caller, which says nothing of the provider."""
        if self._state == "half_open":
            self._open_until = self._clock()
            self._turn("open")

    def rest_model(self, model: str, seconds: float) -> None:
        """Note that the provider wants no calls of a model for that long; only routing looks at it."""
        self._limited[model] = self._clock() + seconds
        self._limited.move_to_end(model)
        if len(self._limited) > MOST_LIMITED_MODELS:
            self._limited.popitem(last=False)

    def rests(self, model: str) -> bool:
        """Whether the provider has asked for a pause of a model's calls that is not over."""
        until = self._limited.get(model)
        if until is None:
            return False
        if until > self._clock():
            return True
        del self._limited[model]
        return False

    def may_retry(self) -> bool:
        """Take a retry from the budget, if one is left."""
        now = self._clock()
        allowed = RETRY_FLOOR + int(RETRY_SHARE * self._window.counts(now).calls)
        if self._retries.counts(now).calls >= allowed:
            return False
        self._retries.add(now, failed=False)
        return True

    def counts(self) -> Counts:
        """The calls of the last minutes, as they are shown."""
        return self._shown.counts(self._clock())

    def _set_pace(self, error: ProviderCallError | None) -> None:
        busy = self.slots.busy + 1  # with the one that has just ended
        if error is None:
            self.pace.answered(busy)
        elif error.reason == "rate_limited" and error.retryable:
            self.pace.refused(busy, error.retry_after)

    def _failed(self, now: float) -> None:
        if self._state == "half_open":
            self._rest = min(LONGEST_REST, self._rest * 2)
            self._open(now)
            return
        counts = self._window.counts(now)
        if self._state == "closed" and counts.calls >= FEWEST_CALLS and counts.failure_share >= OPENING_SHARE:
            self._open(now)

    def _open(self, now: float) -> None:
        self._open_until = now + self._rest
        self.pace.rest(self._rest)
        self._turn("open")

    def _close(self) -> None:
        self._rest = FIRST_REST
        self._window.clear()
        self._turn("closed")

    def _turn(self, state: State) -> None:
        # From the outside open and half open are one outage.
        if "closed" in (state, self._state):
            self.since = time.time()
            BREAKERS.labels(state).inc()
        self._state = state


class HealthBook:
    """The health of every connection that this process has called; the longest unused give way."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[UUID, str], ConnectionHealth] = OrderedDict()

    def of(self, organization_id: UUID, connection: Connection) -> ConnectionHealth | None:
        """A connection's health, kept when it is opened anew at the same address; None for the sandbox."""
        if connection.credential_id is None:
            return None
        key = (connection.credential_id, connection.kind)
        health = self._known.get(key)
        if health is None:
            health = self._known[key] = ConnectionHealth(organization_id, connection)
            if len(self._known) > MOST_CONNECTIONS:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        if health.slots.limit != connection.concurrent_calls:
            health.slots.resize(connection.concurrent_calls)
        return health

    def __iter__(self) -> Iterator[ConnectionHealth]:
        return iter(list(self._known.values()))


def _is_ours(error: ProviderCallError) -> bool:
    """Whether we refused, before or after calling: a forbidden address, an answer too large."""
    return error.reason == "connection" and not error.retryable
