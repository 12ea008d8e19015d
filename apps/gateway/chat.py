"""POST /v1/chat/completions: run a labelled prompt or a plain model, whole or as a stream of events."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout

from apps.core import ids
from apps.core.error_mapping import to_error
from apps.core.errors import Conflict, InvalidRequest
from apps.core.logs import get_logger
from apps.core.scope import organization_scope
from apps.gateway.chat_answers import Chunks, completion, failure
from apps.gateway.chat_requests import (
    LONGEST_RUN_SECONDS,
    ChatBody,
    fingerprint,
    parse_chat_body,
    run_request,
)
from apps.gateway.http import (
    Disconnected,
    HttpRequest,
    JsonAnswer,
    Send,
    end_stream,
    send_event,
    send_json,
    start_stream,
)
from apps.gateway.serving import Serving
from apps.runs import queries
from apps.runs.idempotency import LONGEST_KEY, Claimed, KeyedRequest, Replay
from apps.runs.types import RunDelta, RunRequest, RunResult
from apps.tenants.access import AccessFacts

Items = AsyncGenerator[RunDelta | RunResult, None]

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Exchange:
    """Whom to answer, and about which run."""

    request: HttpRequest
    send: Send
    body: ChatBody
    run_id: UUID


async def complete_chat(serving: Serving, request: HttpRequest, send: Send, facts: AccessFacts) -> None:
    """Answer a chat completion. Raises core errors as long as nothing was sent."""
    raw = await request.json()
    body = parse_chat_body(raw)
    with serving.run_slot():
        run_id = ids.uuid7()
        claim = await _claim(serving, request, facts, raw, run_id)
        if isinstance(claim, Replay):
            request.answer_headers[b"idempotent-replayed"] = b"true"
            exchange = _Exchange(request, send, body, claim.run_id)
            await _answer(exchange, _recorded(serving, facts, claim.run_id))
            return
        try:
            run = run_request(
                body, facts, run_id=run_id, request_id=request.request_id, claim=claim.id if claim else None
            )
            await _answer(_Exchange(request, send, body, run_id), _run(serving, run, body.stream))
        except BaseException:
            if claim is not None:
                await _release(serving, claim)
            raise


async def _claim(
    serving: Serving, request: HttpRequest, facts: AccessFacts, raw: Any, run_id: UUID
) -> Claimed | Replay | None:
    key = request.header(b"idempotency-key")
    if not key:
        return None
    if len(key) > LONGEST_KEY or not key.isprintable():
        raise InvalidRequest(
            f"An Idempotency-Key has at most {LONGEST_KEY} printable characters.", param="Idempotency-Key"
        )
    keyed = KeyedRequest(facts.organization_id, facts.project_id, key, fingerprint(raw))
    return await serving.runtime.keys.claim(keyed, run_id=run_id, seconds=LONGEST_RUN_SECONDS)


async def _release(serving: Serving, claim: Claimed) -> None:
    try:
        await serving.runtime.keys.release(claim)
    except (psycopg.Error, PoolTimeout) as error:
        # The claim ends by itself; the error that brought us here is the one to tell.
        logger.warning("gateway.claim_not_released", extra={"error": str(error)})


def _run(serving: Serving, run: RunRequest, stream: bool) -> Items:
    return serving.runtime.engine.stream(run) if stream else _executed(serving, run)


async def _executed(serving: Serving, run: RunRequest) -> Items:
    yield await serving.runtime.engine.execute(run)


async def _recorded(serving: Serving, facts: AccessFacts, run_id: UUID) -> Items:
    def load() -> RunResult:
        with organization_scope(facts.organization_id):
            return queries.load_result(facts.project_id, run_id)

    result = await serving.runtime.calls.run(load)
    yield RunDelta(result.text, cached=result.cached_from is not None)
    yield result


async def _answer(exchange: _Exchange, items: Items) -> None:
    answer = _stream if exchange.body.stream else _whole
    await _unless_disconnected(exchange.request, answer(exchange, items))


async def _whole(exchange: _Exchange, items: Items) -> None:
    async with aclosing(items):
        async for item in items:
            if isinstance(item, RunResult):
                _tell_cache(exchange, item)
                _demand_answer(item)
                await send_json(exchange.request, exchange.send, JsonAnswer(completion(item)))


async def _stream(exchange: _Exchange, items: Items) -> None:
    async with aclosing(items):
        # Whatever is refused, or fails before the first piece, gets an HTTP status of its own.
        first = await anext(items)
        _tell_cache(exchange, first)
        if isinstance(first, RunResult):
            _demand_answer(first)
        await start_stream(exchange.request, exchange.send)
        try:
            await _send_pieces(exchange, first, items)
        except Exception as error:
            await send_event(exchange.send, to_error(error).body(exchange.request.request_id))
        else:
            await send_event(exchange.send, b"[DONE]")
        await end_stream(exchange.send)


async def _send_pieces(exchange: _Exchange, first: RunDelta | RunResult, items: Items) -> None:
    chunks = Chunks(exchange.run_id, exchange.body.requested)
    await send_event(exchange.send, chunks.first())
    item: RunDelta | RunResult | None = first
    while item is not None:
        if isinstance(item, RunDelta):
            await send_event(exchange.send, chunks.text(item.text))
        else:
            _demand_answer(item)
            await send_event(exchange.send, chunks.last(item))
            if exchange.body.include_usage:
                await send_event(exchange.send, chunks.usage(item))
        item = await anext(items, None)


def _tell_cache(exchange: _Exchange, item: RunDelta | RunResult) -> None:
    """Say in a header whether the cache that was asked for had the answer."""
    if exchange.body.cache_seconds is not None:
        is_hit = item.cached if isinstance(item, RunDelta) else item.cached_from is not None
        exchange.request.answer_headers[b"promptsaas-cache"] = b"hit" if is_hit else b"miss"


def _demand_answer(result: RunResult) -> None:
    """Raise the error of a run that has no answer to give."""
    if not result.recorded:
        raise Conflict(
            "Another request with this Idempotency-Key was answered.", code="idempotency_key_in_use"
        )
    if result.error is not None:
        raise failure(result, result.error)


async def _unless_disconnected(request: HttpRequest, work: Coroutine[Any, Any, None]) -> None:
    """Await the work; when the client goes, cancel it: the upstream call ends, what was used is recorded."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(request.disconnected())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
        if working.cancelled():
            raise Disconnected
        working.result()
    finally:
        leaving.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
