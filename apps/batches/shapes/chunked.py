"""A row too long for the model: a call for each piece of its value, and one that makes one answer of all."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import psycopg

from apps.batches.claims import Claim, JobFacts
from apps.batches.completion import Call, Outcome, answer_of_row, outcome
from apps.batches.shapes.rows import request_for
from apps.batches.shapes.splitting import split
from apps.batches.shapes.types import Hands
from apps.batches.work import ChunkedWork
from apps.core.errors import InvalidRequest, PromptsaasError, QuotaExceeded
from apps.core.ids import uuid7
from apps.core.logs import get_logger
from apps.runs.types import PromptReference, RunRecord, RunRequest

logger = get_logger(__name__)

MOST_CHUNKS: Final = 500
AT_ONCE: Final = 4
"""How many pieces of one row are under way together: the row takes one slot of the pump."""


@dataclass(frozen=True, slots=True)
class Chunked:
    """Rows whose long value is cut."""

    job: JobFacts
    told: ChunkedWork

    def group(self, claims: Sequence[Claim]) -> list[tuple[Claim, ...]]:
        """Every row by itself."""
        return [(claim,) for claim in claims]

    async def work(self, claims: tuple[Claim, ...], hands: Hands) -> Sequence[Claim]:
        """Run the prompt over each piece and the other one over the answers; a short row takes one call."""
        (claim,) = claims
        # Counting the tokens of a megabyte takes a second, in which leases have to be kept.
        pieces = await asyncio.to_thread(pieces_of, self.told, claim.variables)
        if len(pieces) == 1:
            await hands.execute(request_for(self.job, claim), answer_of_row(claim))
            return ()
        if len(pieces) > MOST_CHUNKS:
            message = (
                f"The value of '{self.told.variable}' makes {len(pieces):,} pieces of {MOST_CHUNKS} at most."
            )
            raise InvalidRequest(message, code="input_too_long", param=f"variables.{self.told.variable}")
        await _Row(self, claim, hands).answer(pieces)
        return ()

    def piece_request(self, claim: Claim, piece: str, position: int) -> RunRequest:
        """The run over one piece."""
        return replace(
            request_for(self.job, claim),
            run_id=uuid7(),
            usage_key=f"{claim.usage_key}:chunk:{position}",
            variables={**claim.variables, self.told.variable: piece},
            metadata={"row": str(claim.number), "chunk": str(position)},
        )

    def reduce_request(self, claim: Claim, answers: Sequence[str]) -> RunRequest:
        """The run that makes one answer of the pieces' answers."""
        reduce = self.told.reduce
        others = {name: value for name, value in claim.variables.items() if name != self.told.variable}
        return replace(
            request_for(self.job, claim),
            prompt=PromptReference(reduce.prompt, number=reduce.version),
            model=reduce.model or None,
            overrides={"max_tokens": reduce.max_tokens} if reduce.max_tokens else {},
            variables={**others, reduce.variable: list(answers)},
            metadata={"row": str(claim.number), "chunks": str(len(answers))},
        )


def pieces_of(told: ChunkedWork, variables: dict[str, Any]) -> list[str]:
    """The pieces of a row's long value; one for a value that is short, absent or no text."""
    value = variables.get(told.variable)
    if not isinstance(value, str):
        return [""]
    return split(value, size=told.tokens, overlap=told.overlap)


class _Row:
    """One row on its way: what it has cost so far goes to the item as soon as a piece is recorded."""

    def __init__(self, shape: Chunked, claim: Claim, hands: Hands) -> None:
        self._shape = shape
        self._claim = claim
        self._hands = hands
        self._left = claim.reserved
        self._used: dict[UUID, Decimal] = {}
        self._started = time.monotonic()
        self._error: tuple[str, str] | None = None

    async def answer(self, pieces: Sequence[str]) -> None:
        """All pieces, then their answers together. One that fails ends the row and spares the rest."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(position: int, piece: str) -> str:
            async with slots:
                return await self._piece(position, piece) if self._error is None else ""

        calls = [one(position, piece) for position, piece in enumerate(pieces, 1)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                self._refused(answer)
        if self._error is None:
            told = [answer for answer in answers if isinstance(answer, str)]
            await self._reduce(told)
        if self._error is not None:
            code, message = self._error
            ended = Outcome(
                self._claim, "failed", error_code=code, error_message=message, reserved=self._left
            )
            await self._hands.refuse([ended])

    async def _piece(self, position: int, piece: str) -> str:
        request = self._shape.piece_request(self._claim, piece, position)
        result = await self._hands.execute(request, Call((self._claim,), self._step))
        if result.error is not None and self._error is None:
            self._error = (result.error.code, f"Piece {position}: {result.error.message}")
        return result.text

    async def _reduce(self, answers: Sequence[str]) -> None:
        request = self._shape.reduce_request(self._claim, answers)
        try:
            await self._hands.execute(request, Call((self._claim,), self._last))
        except (PromptsaasError, psycopg.Error) as refusal:
            self._refused(refusal)

    def _refused(self, error: BaseException) -> None:
        """Keep what ends the row; what only stops it for now is the pump's to handle."""
        if isinstance(error, psycopg.Error):
            # Ended here: what its pieces have cost is no longer set aside for it.
            logger.error("batches.result_refused", extra={"item": str(self._claim.item_id)}, exc_info=error)
            self._error = self._error or ("result_not_storable", "The answer could not be stored.")
            return
        if not isinstance(error, PromptsaasError) or isinstance(error, QuotaExceeded) or error.status == 503:
            raise error
        self._error = self._error or (error.code, error.message)

    def _step(self, record: RunRecord) -> Sequence[Outcome]:
        spent = outcome(self._claim, record.result)
        used = self._used.get(record.request.run_id)
        if used is None:
            # Asked again where writing the record is tried again.
            used = self._used[record.request.run_id] = min(spent.cost or Decimal(0), self._left)
            self._left -= used
        return (
            Outcome(
                self._claim,
                "running",
                input_tokens=spent.input_tokens,
                output_tokens=spent.output_tokens,
                cost=spent.cost,
                cost_status=spent.cost_status,
                reserved=used,
            ),
        )

    def _last(self, record: RunRecord) -> Sequence[Outcome]:
        ended = outcome(self._claim, record.result, shortened=record.request.record_payload)
        passed = round((time.monotonic() - self._started) * 1000)
        return (replace(ended, latency_ms=passed, reserved=self._left),)
