"""What the playground says of a run beside its answer: guardrails, caches, who answered. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from apps.runs.models import Run
from apps.runs.web.attempts import REASONS, kind_words
from apps.runs.web.contents import shown_hits
from apps.runs.web.presentation import cache_words

MOST_NOTES: Final = 8


@dataclass(frozen=True, slots=True)
class Note:
    """A short remark; `kind` is the badge's."""

    kind: Literal["info", "warn", "bad"]
    text: str


def run_notes(run: Run) -> list[Note]:
    """The remarks on a run, most important first."""
    return [*_guardrails(run), *_calls(run), *_cache(run)][:MOST_NOTES]


def _guardrails(run: Run) -> Iterator[Note]:
    for hit in shown_hits(run):
        yield Note("bad" if hit.action == "block" else "warn", f"{hit.done}: {hit.rule}, {hit.place}")


def _calls(run: Run) -> Iterator[Note]:
    """Calls that failed or came on top; a single good call needs no word."""
    for number, attempt in enumerate(run.attempts, start=1):
        kind = kind_words(attempt, number)
        model = attempt.get("model") or run.model
        if attempt["error"]:
            yield Note("warn", f"{kind}, {model}: {REASONS.get(attempt['error'], attempt['error'])}")
        elif attempt.get("kind") not in {None, "call"}:
            yield Note("info", f"{kind}, {model}: answered")


def _cache(run: Run) -> Iterator[Note]:
    if run.cached_from:
        yield Note("info", f"From the cache: {cache_words(run)}")
