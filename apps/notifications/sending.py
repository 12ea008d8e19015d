"""Sending deliveries: outside of every scope, each endpoint by itself, so that a slow one holds up nobody.

An endpoint's due deliveries are taken in small groups under a lease, sent together, and stored together; then
come the next ones. Who dies in between leaves the lease, and they are sent again: at least once, with the
same id.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import httpx2
from django.utils import timezone

from apps.core.outbound import OutboundLimit, OutboundRefused, async_public_client
from apps.notifications import claiming
from apps.notifications.claiming import Place, Post
from apps.notifications.models import Failure
from apps.notifications.signing import headers
from apps.runs.blocking import BlockingCalls

TIMEOUT_SECONDS: Final = 10.0
USER_AGENT: Final = "promptsaas-webhooks/1"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt; `status` is the receiver's, None where none came."""

    post: Post
    started_at: datetime
    duration_ms: int
    status: int | None
    failure: Failure

    @property
    def delivered(self) -> bool:
        """Whether the receiver has taken it."""
        return self.failure == Failure.NONE


class Sender:
    """Sends what is due; belongs to one event loop."""

    def __init__(self, client: httpx2.AsyncClient, calls: BlockingCalls) -> None:
        self._client = client
        self._calls = calls

    async def deliver(self, place: Place) -> int:
        """Send everything that is due at one endpoint; returns how many deliveries were tried."""
        tried = 0
        while True:
            posts = await self._calls.run(partial(claiming.claim, place))
            if not posts:
                return tried
            outcomes = await asyncio.gather(*(self._send(post) for post in posts))
            await self._calls.run(partial(claiming.store, place, outcomes))
            tried += len(posts)

    async def _send(self, post: Post) -> Outcome:
        started_at, clock = timezone.now(), time.monotonic()
        status, failure = await self._answer_to(post, int(started_at.timestamp()))
        return Outcome(post, started_at, round((time.monotonic() - clock) * 1000), status, failure)

    async def _answer_to(self, post: Post, timestamp: int) -> tuple[int | None, Failure]:
        signed = {
            **headers(post.secrets, post.message_id, timestamp, post.body),
            "content-type": "application/json",
            "user-agent": USER_AGENT,
        }
        try:
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                self._client.stream("POST", post.url, content=post.body, headers=signed) as answer,
            ):
                # Its body is not read: nobody is shown it, and it may be endless.
                status = answer.status_code
        except (TimeoutError, httpx2.TimeoutException):
            return None, Failure.TIMEOUT
        except OutboundRefused:
            return None, Failure.ADDRESS_REFUSED
        except OutboundLimit as refusal:
            return None, Failure.REDIRECT if refusal.code == Failure.REDIRECT else Failure.UNREACHABLE
        except (httpx2.HTTPError, OSError):
            return None, Failure.UNREACHABLE
        return status, Failure.NONE if 200 <= status < 300 else Failure.STATUS


@asynccontextmanager
async def open_sender() -> AsyncIterator[Sender]:
    """A sender in the running loop."""
    calls = BlockingCalls()
    try:
        async with async_public_client(timeout=TIMEOUT_SECONDS, time_limit_seconds=TIMEOUT_SECONDS) as client:
            yield Sender(client, calls)
    finally:
        calls.close()
