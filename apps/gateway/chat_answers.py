"""From a RunResult to the bodies that OpenAI's clients read. Pure.

Everything of ours stands under `promptsaas`, so that a body is a superset of OpenAI's.
"""

from functools import lru_cache
from typing import Any
from uuid import UUID

from apps.core import ids
from apps.core.errors import PromptsaasError
from apps.providers.pricing import Price
from apps.providers.types import Usage
from apps.runs.types import RunDelta, RunError, RunResult, amount_text


@lru_cache(maxsize=64)
def _kind(status: int, error_type: str) -> type[PromptsaasError]:
    """The error of a run, with the run's own status and type.

    An answer that does not fit its schema is no 5xx: clients repeat those by themselves, and pay again.
    """
    return type("RunFailed", (PromptsaasError,), {"status": status, "type": error_type})


def failure(result: RunResult, error: RunError) -> PromptsaasError:
    """The error for a recorded run that failed: with the run's id, and the text that broke its schema."""
    extra: dict[str, Any] = {"run_id": ids.encode("run", result.run_id)}
    if error.code == "output_invalid":
        extra["output"] = result.text
    kind = _kind(error.status, error.type)
    return kind(error.message, code=error.code, retry_after=error.retry_after, **extra)


def completion(result: RunResult) -> dict[str, Any]:
    """The body of a whole answer."""
    told = facts(result)
    return {
        "id": told["run_id"],
        "object": "chat.completion",
        "created": created_at(result.run_id),
        "model": result.model,
        "choices": [
            {
                "index": 0,
                "message": _message(result),
                "logprobs": None,
                "finish_reason": result.finish_reason or "stop",
            }
        ],
        "usage": usage(result.usage),
        "promptsaas": told,
    }


def _message(result: RunResult) -> dict[str, Any]:
    message = {"role": "assistant", "content": result.text, "refusal": None}
    if not result.tool_calls:
        return message
    return message | {"content": result.text or None, "tool_calls": list(result.tool_calls)}


def usage(usage: Usage) -> dict[str, Any] | None:
    """Token counts, or None where the provider did not say."""
    if usage.input_tokens is None and usage.output_tokens is None:
        return None
    given, made = usage.input_tokens or 0, usage.output_tokens or 0
    return {
        "prompt_tokens": given,
        "completion_tokens": made,
        "total_tokens": given + made,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens or 0},
    }


def facts(result: RunResult) -> dict[str, Any]:
    """What we know beyond OpenAI's fields: run, prompt version, cost, time."""
    return {
        "run_id": ids.encode("run", result.run_id),
        "prompt": result.prompt_name or None,
        "version": result.version_number,
        "label": result.label,
        "sandbox": result.sandbox,
        "latency_ms": result.latency_ms,
        "cost": cost(result.price),
        "cache": cache_facts(result),
    }


def cache_facts(result: RunResult) -> dict[str, Any] | None:
    """Which cache answered, how near, and whose answer it is; None where the model was asked."""
    if result.cached_from is None:
        return None
    return {
        "kind": result.cache_kind or "exact",
        "distance": result.cache_distance,
        "source": ids.encode("run", result.cached_from),
    }


def cost(price: Price | None) -> dict[str, Any]:
    """What a run cost; the amount is None where it is unknown."""
    return {
        "status": price.status if price else "none",
        "amount": amount_text(price.amount) if price else None,
        "currency": "USD",
    }


class Chunks:
    """The events of one streamed answer."""

    def __init__(self, run_id: UUID, model: str) -> None:
        self._head = {
            "id": ids.encode("run", run_id),
            "object": "chat.completion.chunk",
            "created": created_at(run_id),
            "model": model,
        }

    def first(self) -> dict[str, Any]:
        """The event that names the role."""
        return self._chunk({"role": "assistant", "content": ""}, None)

    def piece(self, delta: RunDelta) -> dict[str, Any]:
        """A piece of text, or of tool calls."""
        given: dict[str, Any] = {"tool_calls": list(delta.tool_calls)} if delta.tool_calls else {}
        return self._chunk({"content": delta.text, **given} if delta.text or not given else given, None)

    def last(self, result: RunResult) -> dict[str, Any]:
        """The event that ends the answer; sent after the run is recorded."""
        self._head["model"] = result.model
        return self._chunk({}, result.finish_reason or "stop") | {"promptsaas": facts(result)}

    def usage(self, result: RunResult) -> dict[str, Any]:
        """The event with token counts, for stream_options.include_usage."""
        return self._head | {"choices": [], "usage": usage(result.usage)}

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self._head | {"choices": [choice]}


def created_at(run_id: UUID) -> int:
    """Unix seconds, read from the UUIDv7: the same in every event and in a replay."""
    return (run_id.int >> 80) // 1000
