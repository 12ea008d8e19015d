"""What one gateway process holds open, and who may use it."""

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from apps.core import rate_limits
from apps.core.errors import AuthenticationFailed, PermissionDenied, RateLimited, Unavailable
from apps.core.logs import get_logger
from apps.gateway.http import HttpRequest
from apps.gateway.stopping import on_stop_signal
from apps.runs.caches import ReadThroughCache
from apps.runs.runtime import Runtime, open_runtime
from apps.tenants.access import AccessFacts, authenticate_key_plain, mark_keys_used

LONGEST_TOKEN: Final = 200
MOST_RUNS_AT_ONCE: Final = 1000
MARK_USED_SECONDS: Final = 20.0
MINUTE: Final = 60
# Less than the ten seconds after which the server kills its worker.
DRAIN_SECONDS: Final = 7.0

logger = get_logger(__name__)


class Serving:
    """The state of a process: the runtime, the key cache, the runs in flight."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.draining = False
        self._draining: asyncio.Task[None]
        self._in_flight: set[asyncio.Task[Any]] = set()
        self._used_keys: set[UUID] = set()
        self._keys: ReadThroughCache[bytes, AccessFacts] = ReadThroughCache(_tags)
        runtime.freshness.watch(self._keys)

    async def authenticate(self, request: HttpRequest) -> AccessFacts:
        """The key's facts. Raises AuthenticationFailed; Unavailable when no fact can be trusted."""
        scheme, _, token = request.header(b"authorization").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise AuthenticationFailed(
                "Send an API key as 'Authorization: Bearer psk_…'.", code="api_key_missing"
            )
        if len(token) > LONGEST_TOKEN:
            raise AuthenticationFailed("This isn't an API key.", code="api_key_malformed")
        await self.runtime.freshness.demand()
        facts = await self._keys.get(
            hashlib.sha256(token.encode()).digest(),
            lambda: self.runtime.calls.run(lambda: authenticate_key_plain(token)),
        )
        if facts.expires_at is not None and facts.expires_at <= datetime.now(UTC):
            raise AuthenticationFailed("This API key has expired.", code="api_key_expired")
        self._used_keys.add(facts.api_key_id)
        return facts

    async def limit(self, request: HttpRequest, facts: AccessFacts) -> None:
        """Count the request against its key; the answer's headers tell what is left. Raises RateLimited."""
        limit = settings.GATEWAY_REQUESTS_PER_MINUTE
        decision = await rate_limits.acheck("gateway", str(facts.api_key_id), limit, MINUTE)
        reset = max(0, math.ceil(decision.reset_after))
        remaining = str(decision.remaining).encode()
        request.answer_headers.update(
            {
                b"ratelimit-limit": str(limit).encode(),
                b"ratelimit-remaining": remaining,
                b"ratelimit-reset": str(reset).encode(),
                b"x-ratelimit-limit-requests": str(limit).encode(),
                b"x-ratelimit-remaining-requests": remaining,
                b"x-ratelimit-reset-requests": f"{reset}s".encode(),
            }
        )
        if not decision.allowed:
            raise RateLimited(
                f"More than {limit} requests a minute with this key.", retry_after=decision.retry_after
            )

    @contextmanager
    def run_slot(self) -> Iterator[None]:
        """Count this task's run in flight. Raises Unavailable when the process can't carry another."""
        task = asyncio.current_task()
        if task is None or self.draining or len(self._in_flight) >= MOST_RUNS_AT_ONCE:
            raise Unavailable("The gateway is busy; try again.", code="overloaded", retry_after=1)
        self._in_flight.add(task)
        try:
            yield
        finally:
            self._in_flight.discard(task)

    async def mark_used_forever(self) -> None:
        """Note now and then which keys were used; losing a note is harmless."""
        while True:
            await asyncio.sleep(MARK_USED_SECONDS)
            used, self._used_keys = list(self._used_keys), set()
            if used:
                try:
                    await self.runtime.calls.run(lambda ids=used: mark_keys_used(ids))  # type: ignore[misc]
                except Exception as error:
                    logger.warning("gateway.mark_used_failed", extra={"error": str(error)})

    def begin_drain(self) -> None:
        """Refuse new runs; break off, and record, what is left in flight after DRAIN_SECONDS."""
        if not self.draining:
            self.draining = True
            self._draining = asyncio.create_task(self._drain())

    async def drained(self) -> None:
        """Return when no run is in flight any more."""
        self.begin_drain()
        await self._draining

    async def _drain(self) -> None:
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=DRAIN_SECONDS)
        left = list(self._in_flight)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


@asynccontextmanager
async def open_serving() -> AsyncIterator[Serving]:
    """Open everything that a gateway process needs, in the running loop."""
    async with open_runtime() as runtime:
        serving = Serving(runtime)
        marking = asyncio.create_task(serving.mark_used_forever())
        try:
            with on_stop_signal(serving.begin_drain):
                yield serving
                await serving.drained()
        finally:
            marking.cancel()


def require(facts: AccessFacts, permission: str) -> None:
    """Raise PermissionDenied naming the missing permission."""
    if permission not in facts.permissions:
        raise PermissionDenied(f"This needs the permission {permission}.", permission=permission)


def _tags(digest: bytes, facts: AccessFacts) -> tuple[tuple[str, str], ...]:
    return (
        ("api_key", str(facts.api_key_id)),
        ("membership", str(facts.created_by_id)),
        ("project", str(facts.project_id)),
    )
