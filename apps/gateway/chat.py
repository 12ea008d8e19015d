"""POST /v1/chat/completions: run a labelled prompt or a plain model, whole or as a stream of events."""

from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

from apps.core.error_mapping import to_error
from apps.gateway.calls import run_request
from apps.gateway.chat_answers import Chunks, completion
from apps.gateway.chat_requests import ChatBody, parse_chat_body
from apps.gateway.http import HttpRequest, Send, end_stream, send_event, start_stream
from apps.gateway.running import (
    Item,
    Items,
    Job,
    demand_answer,
    fingerprint_of,
    first_of_answer,
    serve_run,
)
from apps.gateway.serving import Serving
from apps.runs.types import RunDelta, RunRequest, RunResult
from apps.tenants.access import AccessFacts


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

    def build(run_id: UUID, claim: UUID | None) -> RunRequest:
        return run_request(body, facts, run_id=run_id, request=request, claim=claim)

    async def stream(run_id: UUID, items: Items) -> None:
        await _stream(_Exchange(request, send, body, run_id), items)

    job = Job(build, completion, stream if body.stream else None, fingerprint_of(request, raw))
    await serve_run(serving, request, send, facts, job)


async def _stream(exchange: _Exchange, items: Items) -> None:
    async with aclosing(items):
        # Whatever is refused, or fails before the first piece, gets an HTTP status of its own.
        first = await first_of_answer(exchange.request, items)
        if isinstance(first, RunResult):
            demand_answer(first)
        await start_stream(exchange.request, exchange.send)
        try:
            await _send_pieces(exchange, first, items)
        except Exception as error:
            await send_event(exchange.send, to_error(error).body(exchange.request.request_id))
        else:
            await send_event(exchange.send, b"[DONE]")
        await end_stream(exchange.send)


async def _send_pieces(exchange: _Exchange, first: Item, items: Items) -> None:
    chunks = Chunks(exchange.run_id, exchange.body.requested)
    await send_event(exchange.send, chunks.first())
    item: Item | None = first
    while item is not None:
        if isinstance(item, RunDelta):
            await send_event(exchange.send, chunks.piece(item))
        elif isinstance(item, RunResult):
            demand_answer(item)
            await send_event(exchange.send, chunks.last(item))
            if exchange.body.include_usage:
                await send_event(exchange.send, chunks.usage(item))
        item = await anext(items, None)
