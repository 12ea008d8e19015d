"""The caches of answers: identical runs under way, then the exact cache, then the semantic one.

See docs/decisions/0026.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Final

from apps.core.metrics import counter
from apps.providers.pricing import Price
from apps.runs.answer_cache import AnswerCache, Place
from apps.runs.answers import CachedAnswer, Clock
from apps.runs.cache_plan import CachePlan, plan_of
from apps.runs.semantic_cache import Found, SemanticAnswers
from apps.runs.single_flight import Flight, Flights
from apps.runs.types import Attempt, PreparedRun, RunResult

LOOKUPS: Final = counter(
    "promptsaas_cache_lookups",
    "Runs that asked a cache: hit, semantic_hit, miss; shared: answered by an identical run under way.",
    ("outcome",),
)


class CachedAnswers:
    """The engine's Answers. Close it after the last run, so that what is being let go of is let go."""

    def __init__(self, exact: AnswerCache, semantic: SemanticAnswers) -> None:
        self.exact = exact
        self.semantic = semantic
        self._flights = Flights()
        self._leaving: set[asyncio.Task[None]] = set()

    def find(self, prepared: PreparedRun, progress: Clock) -> "Awaitable[AnswerLookup] | None":
        """See Answers.find."""
        plan = plan_of(prepared)
        return None if plan is None else self._find(prepared, plan, progress)

    def leave(self, place: Place) -> None:
        """Tell other processes, soon, that nobody asks any more."""
        task = asyncio.get_running_loop().create_task(self.exact.leave(place))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        """Return when everything is let go of."""
        if self._leaving:
            await asyncio.wait(self._leaving)
        await self.exact.close()

    async def _find(self, prepared: PreparedRun, plan: CachePlan, clock: Clock) -> "AnswerLookup":
        place = await self.exact.place(prepared)
        joined = await self._flights.join(_flight_name(place, plan), clock.remaining())
        if isinstance(joined, CachedAnswer):
            LOOKUPS.labels("shared").inc()
            return AnswerLookup(self, plan, place, found=joined)
        lookup = AnswerLookup(self, plan, place, flight=joined)
        try:
            lookup.found = await self._kept(prepared, lookup, clock)
        except BaseException:
            lookup.close()
            raise
        if lookup.found is not None and joined is not None:
            joined.land(lookup.found)
        LOOKUPS.labels(_outcome(lookup.found)).inc()
        return lookup

    async def _kept(self, prepared: PreparedRun, lookup: "AnswerLookup", clock: Clock) -> CachedAnswer | None:
        plan = lookup.plan
        if plan.exact_seconds:
            # Before the answer is known: cancelled in between, others must not wait for this run.
            lookup.asks = True
            found = await self.exact.find(lookup.place, oldest=plan.exact_seconds, seconds=clock.remaining())
            if found is not None:
                lookup.asks = False
                return found
        if not plan.semantic_seconds:
            return None
        lookup.similar = await self.semantic.find(prepared, plan, clock.started)
        return lookup.similar.answer


@dataclass(slots=True, eq=False)
class AnswerLookup:
    """See Lookup. `flight` is the one that this run leads, if it does; `asks`: other processes may know."""

    answers: CachedAnswers
    plan: CachePlan
    place: Place
    flight: Flight | None = None
    found: CachedAnswer | None = None
    similar: Found = field(default_factory=Found)
    asks: bool = False
    _is_over: bool = False

    @property
    def attempts(self) -> list[Attempt]:
        """See Lookup.attempts."""
        return self.similar.attempts

    @property
    def costs(self) -> list[Price]:
        """See Lookup.costs."""
        return self.similar.costs

    async def keep(self, prepared: PreparedRun, result: RunResult) -> None:
        """See Lookup.keep."""
        if self.found is not None:
            self.close()
            return
        is_good = prepared.request.record_payload and _is_good(prepared, result)
        answer = CachedAnswer(result.run_id, result.text) if is_good else None
        if self.flight is not None and result.status == "succeeded":
            self.flight.land(answer)
        if answer is None:
            self.close()
            return
        self._is_over = True
        if self.plan.exact_seconds:
            await self.answers.exact.keep(self.place, answer, self.plan.exact_seconds)
        if self.similar.place is not None:
            await self.answers.semantic.keep(prepared, self.plan, self.similar.place, result)

    def close(self) -> None:
        """See Lookup.close."""
        if self.flight is not None:
            self.flight.fail()
        if self._is_over:
            return
        self._is_over = True
        if self.asks:
            self.answers.leave(self.place)


def _flight_name(place: Place, plan: CachePlan) -> str:
    """Who waits for whom: only runs that would take the same answers."""
    return f"{place.key} {plan.exact_seconds} {plan.semantic_seconds} {plan.threshold}"


def _is_good(prepared: PreparedRun, result: RunResult) -> bool:
    """Whether an answer is one for others: whole, in words, and of the model that they ask."""
    return (
        result.recorded
        and result.cached_from is None
        and result.status == "succeeded"
        and result.finish_reason == "stop"
        and not result.tool_calls
        and result.model == prepared.target.reference
    )


def _outcome(found: CachedAnswer | None) -> str:
    if found is None:
        return "miss"
    return "hit" if found.kind == "exact" else "semantic_hit"
