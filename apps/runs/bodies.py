"""A run as the API shows it: for the API, and for the file that the page of a run offers. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from apps.core import ids
from apps.runs.models import BackgroundRun, BackgroundStatus, Run, RunSource
from apps.runs.queries import Content
from apps.runs.types import amount_text

_UNKNOWN_YET: Final = (
    *("source_id", "prompt_id", "version", "label", "latency_ms", "first_token_ms", "finish_reason"),
    *("cached_from", "request_id", "provider_request_id", "user", "content"),
    *("own_time_us", "cache", "unit"),
)


def run_body(run: Run) -> dict[str, Any]:
    """A run in numbers, as the API shows it."""
    return {
        "id": run.public_id,
        "object": "run",
        "created_at": run.created_at,
        "livemode": run.livemode,
        "status": run.status,
        "source": run.source,
        "source_id": _source_id(run),
        "prompt": run.prompt_name or None,
        "prompt_id": ids.encode("prm", run.prompt_id) if run.prompt_id else None,
        "version": run.version_number,
        "label": run.label or None,
        "model": run.model,
        "asked_model": run.asked_model or run.model,
        "sandbox": run.sandbox,
        "usage": {
            "input_tokens": run.input_tokens,
            "output_tokens": run.output_tokens,
            "cached_tokens": run.cached_tokens,
            "origin": run.usage_origin,
        },
        "cost": {"status": run.price_status, "amount": amount_text(run.price_amount), "currency": "USD"},
        "latency_ms": run.latency_ms,
        "first_token_ms": run.first_token_ms,
        "finish_reason": run.finish_reason or None,
        "own_time_us": run.own_microseconds,
        "cached_from": ids.encode(Run.PREFIX, run.cached_from) if run.cached_from else None,
        "cache": _cache(run),
        "guardrail_hits": run.guardrail_hits,
        "attempts": [_attempt(attempt) for attempt in run.attempts],
        "overrides": run.overrides,
        "error": _failure(run),
        "request_id": run.request_id or None,
        "provider_request_id": run.provider_request_id or None,
        "api_key_id": ids.encode("key", run.api_key_id) if run.api_key_id else None,
        "user": run.end_user or None,
        "unit": run.unit or None,
        "metadata": run.metadata,
        "background": run.background,
    }


def content_state(run: Run, *, kept: bool) -> str:
    """ "kept", or why a run's content is missing: "not_stored" when it ran, or "deleted" since."""
    if kept:
        return "kept"
    return "deleted" if run.stored_content else "not_stored"


def run_detail_body(run: Run, content: Content | None) -> dict[str, Any]:
    """A run with its content."""
    shown = None
    if content is not None:
        shown = {
            "messages": list(content.messages),
            "variables": dict(content.variables),
            "parameters": dict(content.parameters),
            "output": content.output,
        }
    return {
        **run_body(run),
        "content": shown,
        "content_state": content_state(run, kept=content is not None),
    }


def accepted_body(run: BackgroundRun) -> dict[str, Any]:
    """A background run just after it was accepted: the same whenever it is told again."""
    return {
        "id": run.public_id,
        "object": "run",
        "created_at": run.created_at,
        "livemode": run.livemode,
        "status": BackgroundStatus.QUEUED,
        "background": True,
        "prompt": run.prompt_name or None,
        "model": run.model or None,
        "url": f"/api/v1/runs/{run.public_id}",
    }


def background_body(run: BackgroundRun) -> dict[str, Any]:
    """A background run that no record tells of, in the shape of one: what isn't known yet is null."""
    unknown = dict.fromkeys(_UNKNOWN_YET)
    return {
        **unknown,
        **accepted_body(run),
        "status": run.status,
        "source": RunSource.GATEWAY,
        "sandbox": not run.livemode,
        "usage": {"input_tokens": None, "output_tokens": None, "cached_tokens": None, "origin": "none"},
        "cost": {"status": "none", "amount": None, "currency": "USD"},
        "asked_model": run.model or None,
        "guardrail_hits": [],
        "attempts": [],
        "overrides": [],
        "error": _failure(run),
        "api_key_id": ids.encode("key", run.api_key_id),
        "metadata": {},
        "content_state": "not_stored" if run.is_over else "waiting",
    }


def _source_id(run: Run) -> str | None:
    if run.source_id is None:
        return None
    return ids.encode("bat", run.source_id) if run.source == RunSource.BATCH else str(run.source_id)


def _cache(run: Run) -> dict[str, Any] | None:
    """Which cache answered, and how near; runs from before there were two were all exact."""
    if run.cached_from is None:
        return None
    return {
        "kind": run.cache_kind or "exact",
        "distance": run.cache_distance,
        "source": ids.encode(Run.PREFIX, run.cached_from),
    }


def _attempt(attempt: Mapping[str, Any]) -> dict[str, Any]:
    """An attempt with every field; older runs don't say all of them."""
    return {**dict.fromkeys(("kind", "usage", "cost")), **attempt, "model": attempt.get("model") or None}


def _failure(run: Run | BackgroundRun) -> dict[str, str] | None:
    if not run.error_code:
        return None
    return {"type": run.error_type, "code": run.error_code, "message": run.error_message}
