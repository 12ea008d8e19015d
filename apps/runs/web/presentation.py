"""Runs in the words and shapes of the pages. Pure."""

from dataclasses import dataclass
from typing import Any, Final

from apps.core import ids
from apps.guardrails.words import DONE
from apps.runs.bodies import content_state
from apps.runs.models import Run, RunSource
from apps.runs.queries import Content, Preview
from apps.runs.web.attempts import model_words, own_time, retries, shown_attempts, time_facts, timing_rows
from apps.runs.web.contents import (
    pretty,
    shown_answer,
    shown_hits,
    shown_messages,
    shown_variables,
    spans_of,
)
from apps.runs.web.prices import price_entries

BLOCKED: Final = "guardrail_blocked"
USAGE_NOTES: Final = {
    "provider": "counted by the provider",
    "estimated": "estimated: the call was broken off",
    "cache": "answered from the cache",
    "none": "nothing was answered",
}


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in the list."""

    run: Run
    preview: Preview
    source: str
    price_status: str | None
    score: float | None
    key: str
    content_state: str

    @classmethod
    def of(cls, run: Run, preview: Preview | None, score: float | None = None, key: str = "") -> "RunRow":
        """The row of a run with its preview, if its content is still there."""
        state = content_state(run, kept=preview is not None)
        return cls(
            run, preview or Preview(), RunSource(run.source).label, price_status(run), score, key, state
        )

    @property
    def cache(self) -> str:
        """Which cache answered, if one did."""
        if not self.run.cached_from:
            return ""
        return "similar call" if self.run.cache_kind == "semantic" else "equal call"

    @property
    def guarded(self) -> str:
        """The strongest thing that guardrails did, if they did anything."""
        return DONE.get(guard_state(self.run), "").lower()

    @property
    def fell_back(self) -> bool:
        """Whether a fallback was called."""
        return any(attempt.get("kind") == "fallback" for attempt in self.run.attempts)

    @property
    def own_time(self) -> str:
        """The time that was neither a provider's nor a wait."""
        return own_time(self.run.own_microseconds)

    @property
    def cost(self) -> str | None:
        """The cost as plain digits; "unknown" is spelled out and never 0."""
        if self.run.price_amount is None:
            return "unknown" if self.price_status == "unknown" else None
        return f"{self.run.price_amount.normalize():f}"


def detail_context(run: Run, content: Content | None, view: str = "") -> dict[str, Any]:
    """Everything that the page of one run shows besides the run's own columns.

    `view` is how the answer is wanted: text, markdown or json.
    """
    spans = spans_of(run)
    return {
        **shown_answer(content, spans, view),
        **_origin(run),
        **_served(run),
        "run": run,
        "content": content,
        "content_state": content_state(run, kept=content is not None),
        "price_status": price_status(run),
        "price_note": _price_note(run),
        "usage_note": USAGE_NOTES.get(run.usage_origin, ""),
        "price_entries": price_entries(run),
        "messages_sent": shown_messages(content, spans),
        "variables": shown_variables(content, spans),
        "parameters": pretty(dict(content.parameters)) if content and content.parameters else "",
        "tools": pretty(list(content.tools)) if content and content.tools else "",
        "output_schema": pretty(content.output_schema) if content and content.output_schema else "",
        "metadata": sorted(run.metadata.items()),
    }


def _origin(run: Run) -> dict[str, Any]:
    """Where a run came from."""
    from_batch = run.source == RunSource.BATCH and run.source_id
    return {
        "source": RunSource(run.source).label,
        "batch_id": ids.encode("bat", run.source_id) if from_batch and run.source_id else "",
        "prompt_id": ids.encode("prm", run.prompt_id) if run.prompt_id else "",
        "overrides": _overrides(run),
    }


def _served(run: Run) -> dict[str, Any]:
    """How a run was served: calls, times, cache, guardrails."""
    hits = shown_hits(run)
    return {
        "attempts": shown_attempts(run),
        "retries": retries(run),
        "fell_back": any(attempt.get("kind") == "fallback" for attempt in run.attempts),
        "model_words": model_words(run),
        "timing": timing_rows(run),
        "time_facts": time_facts(run),
        "cached_from": ids.encode(Run.PREFIX, run.cached_from) if run.cached_from else "",
        "cache_words": cache_words(run),
        "hits": hits,
        "more_hits": max(0, len(run.guardrail_hits) - len(hits)),
        "guarded": guard_state(run),
        "blocked": run.error_code == BLOCKED,
        "called": bool(run.attempts),
    }


def cache_words(run: Run) -> str:
    """Why an earlier answer did; empty where none was taken."""
    if not run.cached_from:
        return ""
    if run.cache_kind != "semantic":
        return "an equal call"
    if run.cache_distance is None:
        return "a similar call, distance unknown"
    return f"a similar call, similarity {1 - run.cache_distance:.3f} (distance {run.cache_distance:.3f})"


def guard_state(run: Run) -> str:
    """The strongest thing that guardrails did in a run: block, redact, flag, or nothing."""
    done = {hit.get("action") for hit in run.guardrail_hits}
    return next((action for action in ("block", "redact", "flag") if action in done), "")


def _overrides(run: Run) -> list[dict[str, str]]:
    """Each default of the version that the call went over: its kind and its name."""
    return [dict(zip(("kind", "name"), each.split(":", 1), strict=True)) for each in run.overrides]


def price_status(run: Run) -> str | None:
    """The price status as the cost tag wants it: None where nothing was charged."""
    return None if run.price_status == "none" else run.price_status


def _price_note(run: Run) -> str:
    if run.cached_from:
        return "of the comparison only" if run.attempts else "no provider was called"
    if run.price_status == "sandbox":
        return "made-up price, never billed"
    if run.price_status == "priced":
        return "price of the day, fixed"
    return "no price is known for this model" if run.price_status == "unknown" else ""
