"""POST /v1/responses: run a prompt or a plain model, answered as OpenAI's Responses API does."""

from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from apps.core.error_mapping import to_error
from apps.gateway.background import BackgroundJob, serve_background
from apps.gateway.calls import run_request
from apps.gateway.http import HttpRequest, Send, end_stream, send_event, start_stream
from apps.gateway.response_answers import ResponseEvents, queued_response, response
from apps.gateway.response_requests import ResponseBody, parse_response_body
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
    body: ResponseBody
    run_id: UUID


async def create_response(serving: Serving, request: HttpRequest, send: Send, facts: AccessFacts) -> None:
    """Answer with a response, whole or as events. Raises core errors as long as nothing was sent."""
    raw = await request.json()
    body = parse_response_body(raw)

    def build(run_id: UUID, claim: UUID | None) -> RunRequest:
        return run_request(body, facts, run_id=run_id, request=request, claim=claim)

    async def stream(run_id: UUID, items: Items) -> None:
        await _stream(_Exchange(request, send, body, run_id), items)

    same = fingerprint_of(request, {"path": request.path, "body": raw})
    if body.background:
        later = BackgroundJob(build, same, lambda run: queued_response(body, run.pk))
        await serve_background(serving, request, send, facts, later)
        return
    job = Job(build, partial(response, body), stream if body.stream else None, same)
    await serve_run(serving, request, send, facts, job)


async def _stream(exchange: _Exchange, items: Items) -> None:
    async with aclosing(items):
        # Whatever is refused, or fails before the first piece, gets an HTTP status of its own.
        first = await first_of_answer(exchange.request, items)
        if isinstance(first, RunResult):
            demand_answer(first)
        events = ResponseEvents(exchange.body, exchange.run_id)
        await start_stream(exchange.request, exchange.send)
        try:
            await _send_pieces(exchange, events, first, items)
        except Exception as error:
            await _send(exchange, [events.failed(to_error(error), exchange.request.request_id)])
        await end_stream(exchange.send)


async def _send_pieces(exchange: _Exchange, events: ResponseEvents, first: Item, items: Items) -> None:
    await _send(exchange, events.first())
    item: Item | None = first
    while item is not None:
        if isinstance(item, RunDelta):
            await _send(exchange, events.piece(item))
        elif isinstance(item, RunResult):
            demand_answer(item)
            await _send(exchange, events.last(item))
        item = await anext(items, None)


async def _send(exchange: _Exchange, events: Iterable[dict[str, Any]]) -> None:
    for event in events:
        await send_event(exchange.send, event, event["type"].encode())
