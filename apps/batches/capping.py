"""The most that a row can cost: what a claim sets aside under a job's cost cap."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from apps.batches.claims import JobFacts, Row, Variant
from apps.batches.estimating import DEFAULT_OUTPUT_TOKENS, Model, find_model, most_output_tokens
from apps.batches.shapes.chunked import pieces_of
from apps.batches.shapes.multi_row import entry_of
from apps.batches.work import ChunkedWork, MultiRowWork, Work, parse_work
from apps.core.errors import InvalidRequest, NotFound
from apps.core.scope import organization_scope
from apps.prompts import queries as prompt_queries
from apps.prompts.rendering import render
from apps.prompts.serving import CallRules
from apps.prompts.types import ResolvedPrompt
from apps.runs.blocking import BlockingCalls

MESSAGE_BYTES = 32
"""More than a chat format adds round one message."""
REPAIR_BYTES = 4096
"""More than what a repair says of an answer that breaks its schema."""
RUN_SECONDS = 60.0
"""How long a row's run may take: as in RunRequest."""
TOKEN_BYTES = 8
"""More than a token of an answer usually has: the answers of pieces are the input of another call."""
TOOLS_BYTES = 1024
"""More than a provider's own words on how to call tools."""


@dataclass(frozen=True, slots=True)
class Costing:
    """What a job's rows are priced with; not the whole of it while the prompt's own model can't be called."""

    prompt: ResolvedPrompt
    models: tuple[Model, ...]
    output_tokens: int
    is_whole: bool = True

    def of_call(self, variables: Mapping[str, Any], more_bytes: int = 0) -> Decimal:
        """USD for the longest answers of the dearest model: the prompt's own, or one of its fallbacks.

        A token is at least one byte, so bytes bound the input's tokens. Providers charge for answers, and
        perhaps for calls that we gave up on: so those count that can hang within a run's time, beside the
        one that answers, and repairs, which are shown the answers before them. Other failures cost nothing.
        """
        try:
            messages = render(self.prompt.messages, self.prompt.variables, variables)
        except InvalidRequest:
            return Decimal(0)  # The engine refuses such a call before it is made.
        size = sum(len(message["content"].encode()) + MESSAGE_BYTES for message in messages)
        size += _size_beside(self.prompt) + more_bytes
        calls = self.prompt.serving.calls
        return sum(
            (
                self._dearest(size + before * _size_of_repair(self.output_tokens))
                for before in _answers(calls)
            ),
            Decimal(0),
        )

    def _dearest(self, size: int) -> Decimal:
        amounts = [model.price(size, self.output_tokens).amount for model in self.models]
        # Where no model can be called, the engine refuses the call before it is made.
        return max((Decimal("Infinity") if each is None else each for each in amounts), default=Decimal(0))


@dataclass(frozen=True, slots=True)
class RowCosting:
    """What one row of a variant can cost, with all the calls that it takes."""

    calls: Costing
    work: Work
    reduce: Costing | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the models of its calls can be called."""
        return self.calls.is_whole and (self.reduce is None or self.reduce.is_whole)

    def worst_case(self, row: Row) -> Decimal:
        """USD. Rows that share a call each set aside what a call for them alone can cost."""
        if isinstance(self.work, MultiRowWork):
            return self.calls.of_call({self.work.variable: [entry_of(str(row.number), row.variables)]})
        if isinstance(self.work, ChunkedWork) and self.reduce is not None:
            return self._of_pieces(self.work, self.reduce, row)
        return self.calls.of_call(row.variables)

    def _of_pieces(self, work: ChunkedWork, reduce: Costing, row: Row) -> Decimal:
        pieces = pieces_of(work, row.variables)
        if len(pieces) == 1:
            return self.calls.of_call(row.variables)
        each = (self.calls.of_call({**row.variables, work.variable: piece}) for piece in pieces)
        answers = len(pieces) * self.calls.output_tokens * TOKEN_BYTES
        others = {name: value for name, value in row.variables.items() if name != work.variable}
        return sum(each, reduce.of_call({**others, work.reduce.variable: []}, answers))


def _answers(calls: CallRules) -> list[int]:
    """For each call that may be charged, how many answers it is shown."""
    allowed = (calls.retries + 1) * (len(calls.fallbacks) + 1)
    hung = min(allowed - 1, int(RUN_SECONDS // calls.timeout_seconds))
    return [*([0] * hung), *range(calls.repair_attempts + 1)]


def _size_of_repair(output_tokens: int) -> int:
    """Bytes that bound the tokens of an answer and of the words that ask for another one."""
    return output_tokens + REPAIR_BYTES


def _size_beside(prompt: ResolvedPrompt) -> int:
    """Bytes that go beside the messages: the output schema, and tools with what providers say of them."""
    given = [each for each in (prompt.output_schema, *prompt.tools) if each]
    return sum(len(orjson.dumps(each)) + MESSAGE_BYTES for each in given) + TOOLS_BYTES * bool(prompt.tools)


class WorstCases:
    """The worst cases of every capped job that this process works for."""

    def __init__(self, calls: BlockingCalls) -> None:
        self._calls = calls
        self._jobs: dict[UUID, list[RowCosting]] = {}

    async def prepare(self, job: JobFacts) -> None:
        """Load what a capped job is priced with; a claim holds locks and must not wait for it."""
        if job.capped and not self._is_known(job):
            self._jobs[job.id] = await self._calls.run(lambda: _load(job))

    def _is_known(self, job: JobFacts) -> bool:
        """A model that could not be called may be back by now."""
        found = self._jobs.get(job.id, ())
        return bool(found) and all(each.is_whole for each in found)

    def worst_case(self, job: JobFacts, row: Row) -> Decimal:
        """See `leases.WorstCase`."""
        return self._jobs[job.id][row.variant].worst_case(row)


def _load(job: JobFacts) -> list[RowCosting]:
    work = parse_work(job.work)
    with organization_scope(job.organization_id):
        reduce = _reduce(job, work) if isinstance(work, ChunkedWork) else None
        return [RowCosting(_costing(job, variant), work, reduce) for variant in job.variants]


def _costing(job: JobFacts, variant: Variant) -> Costing:
    prompt = prompt_queries.resolve(
        project_id=job.project_id, name=job.prompt_name, label=None, number=variant.version_number
    )
    return _priced(job, prompt, variant.model, variant.parameters)


def _reduce(job: JobFacts, work: ChunkedWork) -> Costing:
    told = work.reduce
    prompt = prompt_queries.resolve(
        project_id=job.project_id, name=told.prompt, label=told.label, number=told.version
    )
    limit = {"max_tokens": told.max_tokens} if told.max_tokens else {}
    return _priced(job, prompt, told.model or prompt.model, limit)


def _priced(job: JobFacts, prompt: ResolvedPrompt, model: str, parameters: Mapping[str, Any]) -> Costing:
    found = {}
    for each in (model, *prompt.serving.calls.fallbacks):
        # One that can't be called, perhaps only since the start, costs nothing.
        with suppress(InvalidRequest, NotFound):
            found[each] = find_model(job.project_id, each, livemode=job.livemode)
    limit = most_output_tokens({**prompt.parameters, **parameters})
    return Costing(prompt, tuple(found.values()), limit or DEFAULT_OUTPUT_TOKENS, model in found)
