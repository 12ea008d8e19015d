"""What a run has got so far: filled stage by stage, read when the run ends for whatever reason."""

import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.providers.pricing import Price
from apps.providers.tool_calls import ToolCallPieces
from apps.providers.types import ChatDelta, ChatResult, ProviderCallError, Usage
from apps.runs.answers import CachedAnswer, Lookup
from apps.runs.types import Attempt, CacheKind, CacheOutcome, OutputRefusal, RunError, Target


@dataclass(slots=True)
class Progress:
    """What a run has got so far; `deadline` in seconds from its start.

    `refusal` says why nothing is called; `withheld` what the guardrails say of the answer; `hits` what they
    found, without any text. Once they have looked at the answer it is `guarded` (`judged` once a judge was
    asked): what of a stream they let go is `released`, and `checked` what the schema says of an answer that
    they redacted. `target` is what was called last, `answered` what the answer is from. `prices` are those of
    all answers, also of those that a later one replaced, and `side_costs` those of helpers, such
    as judges and embeddings. `away` is the time, in seconds, that was not ours: the provider's, and the waits
    between its attempts.
    """

    deadline: float
    started: float = field(default_factory=time.perf_counter)
    parts: list[str] = field(default_factory=list)
    calls: ToolCallPieces = field(default_factory=ToolCallPieces)
    attempts: list[Attempt] = field(default_factory=list)
    first_token_ms: int | None = None
    answer: ChatResult | None = None
    target: Target | None = None
    answered: Target | None = None
    prices: list[Price] = field(default_factory=list)
    side_costs: list[Price] = field(default_factory=list)
    lookup: Lookup | None = None
    cached_from: UUID | None = None
    cache_kind: CacheKind = ""
    cache_distance: float | None = None
    refusal: RunError | None = None
    withheld: OutputRefusal | None = None
    guarded: bool = False
    judged: bool = False
    released: list[str] = field(default_factory=list)
    checked: tuple[Any, RunError | None] | None = None
    hits: list[dict[str, Any]] = field(default_factory=list)
    error: ProviderCallError | None = None
    called: bool = False
    away: float = 0.0

    @property
    def needs_call(self) -> bool:
        """Whether the provider is to be asked: nothing refuses the run, and no answer is at hand."""
        return self.refusal is None and self.cached_from is None

    @property
    def text(self) -> str:
        """The answer's text, whole or as far as it came."""
        return self.answer.text if self.answer is not None else "".join(self.parts)

    @property
    def tool_calls(self) -> tuple[dict[str, Any], ...]:
        """The answer's tool calls, whole or as far as they came."""
        return self.answer.tool_calls if self.answer is not None else self.calls.whole()

    def elapsed_ms(self) -> int:
        """Milliseconds since the run began."""
        return round((time.perf_counter() - self.started) * 1000)

    def remaining(self) -> float:
        """Seconds until the deadline; negative once it has passed."""
        return self.deadline - (time.perf_counter() - self.started)

    def take(self, item: ChatDelta | ChatResult) -> None:
        """Note one streamed item."""
        if self.first_token_ms is None and (isinstance(item, ChatResult) or item.text or item.tool_calls):
            self.first_token_ms = self.elapsed_ms()
        if isinstance(item, ChatResult):
            self.accept(item)
            return
        self.parts.append(item.text)
        for delta in item.tool_calls:
            self.calls.add({**delta, **delta.get("function", {})})

    def accept(self, answer: ChatResult) -> None:
        """Note a whole answer, which takes the place of one before it."""
        self.answer, self.answered = answer, self.target

    @property
    def cache_outcome(self) -> CacheOutcome:
        """What the caches had."""
        if self.lookup is None:
            return "off"
        if self.cached_from is None:
            return "miss"
        return "semantic_hit" if self.cache_kind == "semantic" else "hit"

    def accept_lookup(self, lookup: Lookup) -> None:
        """Note what the caches said, what asking them took, and the answer if they have one."""
        self.lookup = lookup
        self.attempts.extend(lookup.attempts)
        self.side_costs.extend(lookup.costs)
        if lookup.found is not None:
            self.accept_cached(lookup.found)

    def close_lookup(self) -> None:
        """The run has ended: nobody waits for its answer any longer."""
        if self.lookup is not None:
            self.lookup.close()

    def accept_cached(self, found: CachedAnswer) -> None:
        """Note an earlier run's answer in place of a call."""
        self.cached_from = found.run_id
        self.cache_kind, self.cache_distance = found.kind, found.distance
        self.accept(ChatResult(text=found.text, finish_reason="stop", usage=Usage(0, 0, 0), model=""))
