"""The semantic cache: a question that means what an earlier one meant is given its answer.

The embedding of a question is a call of a provider like any other, so it has a price. Whatever goes wrong
here is a miss, soon: a look-up never fails a run, and after a failure it rests.
"""

import asyncio
import hashlib
import hmac
import math
import time
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from django.db import DatabaseError, InterfaceError

from apps.core import crypto
from apps.core.errors import PromptsaasError
from apps.core.logs import get_logger
from apps.core.scope import organization_scope
from apps.providers.pricing import Price
from apps.providers.types import EmbeddingRequest, EmbeddingResult, ProviderCallError
from apps.runs import cache_entries, charges
from apps.runs.answers import CachedAnswer
from apps.runs.blocking import BlockingCalls
from apps.runs.cache_plan import CachePlan, Question, question_of
from apps.runs.types import Attempt, DataKeys, PreparedRun, RunResult, Target, TargetSource

EMBED_SECONDS: Final = 1.0
SEARCH_SECONDS: Final = 0.25
KEEP_SECONDS: Final = 1.0
REST_SECONDS: Final = 5.0
MOST_RESTING: Final = 1_000
# How long it is believed that the database has the extension, or has it not.
BELIEVED_SECONDS: Final = 60.0
MOST_DIMENSIONS: Final = 16_000
TEST_MODEL: Final = "sandbox/embedding"

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """A question as entries are found by it: the keyed hash of what must be equal, and its direction."""

    scope_hash: bytes
    embedding: tuple[float, ...]


class _Embedded(NamedTuple):
    """A text's direction, and whose: only those of one model at one address can be compared."""

    direction: tuple[float, ...]
    model: str


@dataclass(slots=True)
class Found:
    """What came of a look-up: the answer, where to keep another one, and the call that it took."""

    answer: CachedAnswer | None = None
    place: Place | None = None
    attempts: list[Attempt] = field(default_factory=list)
    costs: list[Price] = field(default_factory=list)


class SemanticAnswers:
    """Answers in Postgres, compared by pgvector. Without the extension nothing is embedded, found or kept.

    `patience` is what every wait is multiplied by.
    """

    def __init__(
        self, targets: TargetSource, calls: BlockingCalls, data_keys: DataKeys, *, patience: float = 1.0
    ) -> None:
        self._targets = targets
        self._calls = calls
        self._data_keys = data_keys
        self._patience = patience
        self._can_compare = False
        self._asked_at = -math.inf
        self._resting: dict[tuple[UUID, str], float] = {}

    async def find(self, prepared: PreparedRun, plan: CachePlan, began: float) -> Found:
        """Look for an answer. `began` is the run's start by `time.perf_counter`: attempts count from it."""
        found = Found()
        question = question_of(prepared, plan)
        name = (prepared.request.project_id, plan.embedding_model)
        if question is None or self._rests(name) or not await self._is_there():
            return found
        try:
            embedded = await self._embed(prepared, plan, question.text, found, began)
            if embedded is None:
                return found
            found.place = await self._place(prepared, question, embedded)
            found.answer = await self._nearest(prepared, plan, found.place)
        except (DatabaseError, InterfaceError, PromptsaasError, TimeoutError, crypto.SealBroken) as error:
            self._rest(name, error)
        return found

    async def keep(self, prepared: PreparedRun, plan: CachePlan, place: Place, result: RunResult) -> None:
        """Keep an answer under a question that was looked for."""
        prompt = prepared.prompt
        entry = cache_entries.NewEntry(
            project_id=prepared.request.project_id,
            prompt_id=prompt.prompt_id if prompt else None,
            version_id=prompt.version_id if prompt else None,
            run_id=result.run_id,
            text=result.text,
            scope_hash=place.scope_hash,
            embedding=place.embedding,
            seconds=plan.semantic_seconds,
        )
        organization_id = prepared.request.organization_id
        try:
            async with asyncio.timeout(KEEP_SECONDS * self._patience):
                await self._calls.run(lambda: _add(organization_id, entry))
        except (DatabaseError, InterfaceError, PromptsaasError, TimeoutError) as error:
            logger.warning("runs.similar_answer_not_kept", extra={"error": _told(error)})

    async def _is_there(self) -> bool:
        if time.monotonic() - self._asked_at > BELIEVED_SECONDS:
            self._asked_at = time.monotonic()
            try:
                async with asyncio.timeout(SEARCH_SECONDS * self._patience):
                    self._can_compare = await self._calls.run(cache_entries.can_compare)
            except (DatabaseError, InterfaceError, TimeoutError):
                self._asked_at = -math.inf
                return False
        return self._can_compare

    async def _embed(
        self, prepared: PreparedRun, plan: CachePlan, text: str, found: Found, began: float
    ) -> _Embedded | None:
        """The direction of a text; the call stands in `found`. None where it may not be asked for."""
        reference = plan.embedding_model if prepared.request.livemode else TEST_MODEL
        target = await self._targets.open(prepared.request, reference)
        # What the sandbox answers costs nothing real, and what is real is not for made-up answers.
        if target.sandbox != prepared.target.sandbox:
            return None
        start = time.perf_counter()
        error, result = "", None
        try:
            async with asyncio.timeout(EMBED_SECONDS * self._patience):
                request = EmbeddingRequest(target.model, (text,), timeout_seconds=EMBED_SECONDS)
                result = await target.provider.embed(request)
        except (ProviderCallError, TimeoutError) as caught:
            error = caught.reason if isinstance(caught, ProviderCallError) else "timeout"
            self._rest((prepared.request.project_id, plan.embedding_model), caught)
        _note(found, target, result, prepared, (began, start, error))
        direction = _direction(result)
        return None if direction is None else _Embedded(direction, f"{target.kind} {target.reference}")

    async def _place(self, prepared: PreparedRun, question: Question, embedded: _Embedded) -> Place:
        data_key = await self._data_keys.get(prepared.request.organization_id)
        naming_key = hmac.digest(data_key, b"promptsaas semantic cache 1", hashlib.sha256)
        size = len(embedded.direction)
        fixed = f"{embedded.model}\x1f{size}\x1f".encode() + question.fixed
        return Place(hmac.digest(naming_key, fixed, hashlib.sha256), embedded.direction)

    async def _nearest(self, prepared: PreparedRun, plan: CachePlan, place: Place) -> CachedAnswer | None:
        organization_id = prepared.request.organization_id
        async with asyncio.timeout(SEARCH_SECONDS * self._patience):
            found = await self._calls.run(lambda: _nearest(organization_id, plan, place))
        return None if found is None else CachedAnswer(found.run_id, found.text, "semantic", found.distance)

    def _rests(self, name: tuple[UUID, str]) -> bool:
        return self._resting.get(name, 0.0) > time.monotonic()

    def _rest(self, name: tuple[UUID, str], error: Exception) -> None:
        logger.warning("runs.semantic_cache_rests", extra={"error": _told(error)})
        if len(self._resting) >= MOST_RESTING:
            self._resting.clear()
        self._resting[name] = time.monotonic() + REST_SECONDS


def _told(error: Exception) -> str:
    """What may stand in a log: a provider's own words may quote the question."""
    return error.reason if isinstance(error, ProviderCallError) else str(error) or type(error).__name__


def _note(
    found: Found,
    target: Target,
    result: EmbeddingResult | None,
    prepared: PreparedRun,
    times: tuple[float, float, str],
) -> None:
    """Write the call down, and what it cost."""
    began, start, error = times
    attempt = Attempt(
        start_ms=round((start - began) * 1000),
        duration_ms=round((time.perf_counter() - start) * 1000),
        error=error,
        model=target.reference,
        kind="embedding",
    )
    if result is not None:
        attempt, cost = charges.charge_attempt(attempt, target, result.usage, prepared.created_at)
        found.costs.append(cost)
    found.attempts.append(attempt)


def _direction(result: EmbeddingResult | None) -> tuple[float, ...] | None:
    """A vector that can be compared, or None: what a provider sends is not trusted."""
    if result is None or len(result.vectors) != 1:
        return None
    vector = tuple(result.vectors[0])
    usable = 0 < len(vector) <= MOST_DIMENSIONS and all(map(math.isfinite, vector)) and any(vector)
    return vector if usable else None


def _nearest(organization_id: UUID, plan: CachePlan, place: Place) -> cache_entries.Nearest | None:
    with organization_scope(organization_id):
        return cache_entries.nearest(
            place.scope_hash, place.embedding, oldest=plan.semantic_seconds, threshold=plan.threshold
        )


def _add(organization_id: UUID, entry: cache_entries.NewEntry) -> bool:
    with organization_scope(organization_id):
        return cache_entries.add(entry)
