"""From a run to the bodies and events of our own addresses (run and playground).

Events of a stream, each with its name: `run.created` when the run has passed every check, `output.delta`
with a piece of text, `tool_calls.delta` with OpenAI's deltas, and at the end, after the run is recorded,
`run.completed` with the run or `run.failed` with the error and, as far as it is known, the run.
"""

from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core import ids
from apps.core.error_mapping import to_error
from apps.core.errors import PromptsaasError
from apps.gateway.chat_answers import cache_facts, cost, failure
from apps.gateway.http import HttpRequest, Send, end_stream, send_event, start_stream
from apps.gateway.running import Item, Items, demand_answer, demand_record, tell_cache
from apps.runs.types import RunDelta, RunResult, RunStarted


@dataclass(frozen=True, slots=True)
class RunExchange:
    """Whom to answer about a streamed run, and what only the entrance knows of it."""

    request: HttpRequest
    send: Send
    run_id: UUID
    livemode: bool


async def stream_run(exchange: RunExchange, items: Items) -> None:
    """Send a run's answer as events. Raises core errors as long as nothing was sent."""
    async with aclosing(items):
        await _stream(exchange, items)


def run_body(result: RunResult, *, livemode: bool) -> dict[str, Any]:
    """A finished run with its answer."""
    return {
        "id": ids.encode("run", result.run_id),
        "object": "run",
        "created_at": result.created_at,
        "livemode": livemode,
        "status": result.status,
        "prompt": result.prompt_name or None,
        "version": result.version_number,
        "label": result.label,
        "model": result.model,
        "sandbox": result.sandbox,
        "output": result.text,
        "output_json": result.parsed,
        "tool_calls": list(result.tool_calls),
        "finish_reason": result.finish_reason,
        "usage": {
            "input_tokens": result.usage.input_tokens,
            "output_tokens": result.usage.output_tokens,
            "cached_tokens": result.usage.cached_tokens,
            "origin": result.usage_origin,
        },
        "cost": cost(result.price),
        "latency_ms": result.latency_ms,
        "first_token_ms": result.first_token_ms,
        "cached_from": ids.encode("run", result.cached_from) if result.cached_from else None,
        "cache": cache_facts(result),
    }


async def _stream(exchange: RunExchange, items: Items) -> None:
    # What is refused gets an HTTP status of its own; a run that has begun fails in an event.
    started = await anext(items)
    tell_cache(exchange.request, started)
    if isinstance(started, RunResult):
        demand_answer(started)
    await start_stream(exchange.request, exchange.send)
    try:
        await _send_item(exchange, started)
        async for item in items:
            await _send_item(exchange, item)
    except Exception as error:
        await _send_failure(exchange, to_error(error), None)
    await end_stream(exchange.send)


async def _send_item(exchange: RunExchange, item: Item) -> None:
    if isinstance(item, RunStarted):
        await send_event(exchange.send, _created(exchange, item), b"run.created")
    elif isinstance(item, RunDelta):
        if item.text:
            await send_event(exchange.send, {"text": item.text}, b"output.delta")
        if item.tool_calls:
            await send_event(exchange.send, {"tool_calls": list(item.tool_calls)}, b"tool_calls.delta")
    else:
        demand_record(item)
        body = run_body(item, livemode=exchange.livemode)
        if item.error is None:
            await send_event(exchange.send, body, b"run.completed")
        else:
            await _send_failure(exchange, failure(item, item.error), body)


async def _send_failure(exchange: RunExchange, error: PromptsaasError, run: dict[str, Any] | None) -> None:
    told = error.body(exchange.request.request_id) | {"run": run}
    await send_event(exchange.send, told, b"run.failed")


def _created(exchange: RunExchange, item: RunStarted) -> dict[str, Any]:
    return {
        "id": ids.encode("run", exchange.run_id),
        "object": "run",
        "created_at": item.created_at,
        "livemode": exchange.livemode,
        "status": "running",
        "model": item.model,
    }
