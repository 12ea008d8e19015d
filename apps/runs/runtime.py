"""An engine with everything it stands on, opened and closed in one event loop."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from psycopg_pool import AsyncConnectionPool

from apps.billing.allowance import AllowanceBook
from apps.core.change_readers import connection_parameters
from apps.core.redis import close_async_client
from apps.providers.health_board import publish_forever
from apps.runs.answer_cache import WAIT_SECONDS, AnswerCache
from apps.runs.blocking import BlockingCalls
from apps.runs.cached_answers import CachedAnswers
from apps.runs.calling import RetryPolicy
from apps.runs.engine import Engine
from apps.runs.idempotency import RunKeys
from apps.runs.limiting import RunLimits
from apps.runs.preparing import Dependencies
from apps.runs.recording import GroupRecorder
from apps.runs.semantic_cache import SemanticAnswers
from apps.runs.sources import CachedContentRules, CachedDataKeys, CachedPrompts, CachedTargets, Freshness
from apps.runs.types import RecordCompanion

POOL_WAIT_SECONDS = 5.0
RECONNECT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Runtime:
    """What an entrance works with. `pool` is for recorder, reservation and keys only."""

    engine: Engine
    pool: AsyncConnectionPool[Any]
    calls: BlockingCalls
    freshness: Freshness
    keys: RunKeys
    targets: CachedTargets


@asynccontextmanager
async def open_runtime(
    companions: Sequence[RecordCompanion] = (),
    *,
    retries: RetryPolicy | None = None,
    pool_size: int = 4,
    cache_wait_seconds: float = WAIT_SECONDS,
) -> AsyncIterator[Runtime]:
    """Open an engine in the running loop; leaving the block records what has ended and closes everything.

    `companions` write their rows in the recorder's transactions (see RecordCompanion).
    """
    async with _open_pool(pool_size) as pool:
        calls = BlockingCalls()
        freshness = Freshness()
        freshness.start()
        targets = CachedTargets(calls, freshness)
        allowance = AllowanceBook(pool)
        data_keys = CachedDataKeys(calls)
        exact = AnswerCache(data_keys, wait_seconds=cache_wait_seconds)
        patience = cache_wait_seconds / WAIT_SECONDS
        semantic = SemanticAnswers(targets, calls, data_keys, patience=patience)
        answers = CachedAnswers(exact, semantic)
        keys = RunKeys(pool)
        recorder = GroupRecorder(
            connection_parameters(),
            companions,
            prepares=settings.DATABASE_PREPARED_STATEMENTS,
            reconnected=pool.check,
        )
        await recorder.open()
        limits = RunLimits(calls)
        freshness.watch(limits.organizations)
        engine = Engine(
            Dependencies(
                prompts=CachedPrompts(calls, freshness),
                targets=targets,
                allowance=allowance,
                recorder=recorder,
                data_keys=data_keys,
                answers=answers,
                contents=CachedContentRules(calls, freshness),
                limits=limits,
                retries=retries or RetryPolicy(),
            )
        )
        telling = asyncio.create_task(publish_forever(targets.health))
        try:
            yield Runtime(engine, pool, calls, freshness, keys, targets)
        finally:
            telling.cancel()
            await keys.close()
            await engine.drain()
            await answers.close()
            await recorder.close()
            await allowance.close()
            await targets.close()
            await freshness.stop()
            await close_async_client()
            calls.close()


def _open_pool(size: int) -> AsyncConnectionPool[Any]:
    return AsyncConnectionPool(
        kwargs=connection_parameters(),
        min_size=1,
        max_size=size,
        timeout=POOL_WAIT_SECONDS,
        # Waits between attempts double without bound otherwise: a crash's end must not be missed by seconds.
        reconnect_timeout=RECONNECT_SECONDS,
        open=False,
    )
