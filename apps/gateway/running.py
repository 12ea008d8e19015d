"""One run for one request: the slot, the Idempotency-Key, the client that may leave."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout

from apps.core import ids, log_fields
from apps.core.deadlines import Alarm
from apps.core.errors import Conflict, InvalidRequest
from apps.core.logs import get_logger
from apps.core.records import record
from apps.core.scope import organization_scope
from apps.gateway.chat_answers import failure
from apps.gateway.fields import LONGEST_RUN_SECONDS, fingerprint
from apps.gateway.http import Disconnected, HttpRequest, JsonAnswer, Send, send_json
from apps.gateway.serving import Serving
from apps.runs import queries
from apps.runs.idempotency import LONGEST_KEY, Claimed, KeyedRequest, Replay
from apps.runs.types import CacheOutcome, RunDelta, RunRequest, RunResult, RunStarted
from apps.tenants.access import AccessFacts

Item = RunStarted | RunDelta | RunResult
Items = AsyncGenerator[Item, None]

WATCH_AFTER_SECONDS: Final = 0.2
_CACHE_WORDS: Final[dict[CacheOutcome, bytes]] = {
    "off": b"off",
    "miss": b"miss",
    "hit": b"hit",
    "semantic_hit": b"semantic_hit",
}

logger = get_logger(__name__)


@record(frozen=True, slots=True)
class Job:
    """What a handler wants run, and how it answers.

    `build` makes the run of an id and a claim; equal `fingerprint`s under one Idempotency-Key are one run.
    `body` is that of a whole answer; `stream` sends it piece by piece, None where that was not asked for.
    """

    build: Callable[[UUID, UUID | None], RunRequest]
    body: Callable[[RunResult], dict[str, Any]]
    stream: Callable[[UUID, Items], Coroutine[Any, Any, None]] | None
    fingerprint: bytes


async def serve_run(serving: Serving, request: HttpRequest, send: Send, facts: AccessFacts, job: Job) -> None:
    """Run and answer; the same again under one Idempotency-Key is answered from the first run.

    Raises core errors as long as nothing was sent.
    """
    with serving.run_slot() as task:
        run_id = ids.uuid7()
        log_fields.note_id("run_id", "run", run_id)
        claim = await claim_key(serving, request, facts, job.fingerprint, run_id)
        if isinstance(claim, Replay):
            await serving.door.charge(request)
            request.answer_headers[b"idempotent-replayed"] = b"true"
            result = await _recorded(serving, facts, claim.run_id)
            if job.stream is None:
                await _send_whole(request, send, job, result)
            else:
                await unless_disconnected(request, job.stream(claim.run_id, _pieces_of(result)), task)
            return
        try:
            run = job.build(run_id, claim.id if claim else None)
            if job.stream is None:
                work = _run_whole(serving, request, send, job, run)
            else:
                work = job.stream(run_id, serving.runtime.engine.stream(run))
            await unless_disconnected(request, work, task)
        except BaseException:
            if claim is not None:
                await release_key(serving, claim)
            raise


async def first_of_answer(request: HttpRequest, items: Items) -> RunDelta | RunResult:
    """What a stream has first beside its start: a piece, or its result where there is none."""
    while isinstance(item := await anext(items), RunStarted):
        tell_cache(request, item)
    return item


def fingerprint_of(request: HttpRequest, asked: Any) -> bytes:
    """What must be the same for a repeat; not worked out, which takes long for files, without a key."""
    return fingerprint(asked) if request.header(b"idempotency-key") else b""


def demand_answer(result: RunResult) -> None:
    """Raise the error of a run that has no answer to give."""
    demand_record(result)
    if result.error is not None:
        raise failure(result, result.error)


def demand_record(result: RunResult) -> None:
    """Raise Conflict for a run that lost its Idempotency-Key to a twin."""
    if not result.recorded:
        raise Conflict(
            "Another request with this Idempotency-Key was answered.", code="idempotency_key_in_use"
        )


def tell_cache(request: HttpRequest, item: Item) -> None:
    """Say in a header what the caches had for the run; a replay of an earlier answer says nothing."""
    told = None if isinstance(item, RunDelta) else item.cache
    if told is not None:
        request.answer_headers[b"promptsaas-cache"] = _CACHE_WORDS[told]


async def unless_disconnected(
    request: HttpRequest, work: Coroutine[Any, Any, None], task: "asyncio.Task[Any]"
) -> None:
    """Await the work; when the client goes, cancel it: the upstream call ends, what was used is recorded.

    The work is done in `task`, which is this one, and whether the client is still there is asked only of
    what takes longer than a moment: two tasks for each request would cost as much as all the rest of it.
    """
    watch = _Watch(request, task)
    asked = task.cancelling()
    try:
        await work
    except asyncio.CancelledError:
        if watch.client_left and task.uncancel() <= asked:
            raise Disconnected from None
        raise
    finally:
        watch.end()


class _Watch(Alarm):
    """Cancels a request's task when its client has gone."""

    __slots__ = ("_request", "_task", "_waiting", "client_left")

    def __init__(self, request: HttpRequest, task: "asyncio.Task[Any]") -> None:
        self.client_left = False
        self._request = request
        self._task = task
        self._waiting: asyncio.Task[None] | None = None
        self.set(task.get_loop(), WATCH_AFTER_SECONDS)

    def end(self) -> None:
        """Stop watching."""
        self.call_off()
        if self._waiting is not None:
            self._waiting.cancel()

    def ring(self) -> None:
        """Long enough: from now on ask whether the client is there."""
        self._waiting = asyncio.create_task(self._request.disconnected())
        self._waiting.add_done_callback(self._ended)

    def _ended(self, waiting: "asyncio.Task[None]") -> None:
        if not waiting.cancelled() and waiting.exception() is None:
            self.client_left = True
            self._task.cancel()


async def _run_whole(serving: Serving, request: HttpRequest, send: Send, job: Job, run: RunRequest) -> None:
    await _send_whole(request, send, job, await serving.runtime.engine.execute(run))


async def _send_whole(request: HttpRequest, send: Send, job: Job, result: RunResult) -> None:
    tell_cache(request, result)
    demand_answer(result)
    await send_json(request, send, JsonAnswer(job.body(result)))


async def _recorded(serving: Serving, facts: AccessFacts, run_id: UUID) -> RunResult:
    def load() -> RunResult:
        with organization_scope(facts.organization_id):
            return queries.load_result(facts.project_id, run_id)

    return await serving.runtime.calls.run(load)


async def _pieces_of(result: RunResult) -> Items:
    """A run's answer as its stream gave it, in one piece."""
    yield RunStarted(result.created_at, result.model)
    calls = tuple({"index": index, **call} for index, call in enumerate(result.tool_calls))
    yield RunDelta(result.text, cached=result.cached_from is not None, tool_calls=calls)
    yield result


async def claim_key(
    serving: Serving, request: HttpRequest, facts: AccessFacts, fingerprint: bytes, run_id: UUID
) -> Claimed | Replay | None:
    """Claim the request's Idempotency-Key for a run, if it has one. Raises core errors."""
    key = request.header(b"idempotency-key")
    if not key:
        return None
    if len(key) > LONGEST_KEY or not key.isprintable():
        raise InvalidRequest(
            f"An Idempotency-Key has at most {LONGEST_KEY} printable characters.",
            code="idempotency_key_invalid",
            param="Idempotency-Key",
        )
    keyed = KeyedRequest(facts.organization_id, facts.project_id, key, fingerprint, facts.livemode)
    return await serving.runtime.keys.claim(keyed, run_id=run_id, seconds=LONGEST_RUN_SECONDS)


async def release_key(serving: Serving, claim: Claimed) -> None:
    """Give a claim back whose run was refused."""
    try:
        await serving.runtime.keys.release(claim)
    except (psycopg.Error, PoolTimeout) as error:
        # The claim ends by itself; the error that brought us here is the one to tell.
        logger.warning("gateway.claim_not_released", extra={"error": str(error)})
