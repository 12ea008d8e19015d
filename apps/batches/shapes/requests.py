"""A call for each row, where a row is the body of a request: what the lines of OpenAI's batch files are.

A body is read and carried out as the gateway would, and the whole body that the gateway would have answered
is kept for the batch's files, refusals too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from apps.batches.claims import Claim, JobFacts
from apps.batches.completion import Answer, Call, Outcome, outcome
from apps.batches.openai.answers import request_id
from apps.batches.shapes.types import Hands
from apps.core.errors import PromptsaasError, QuotaExceeded
from apps.core.json_bodies import dump_json
from apps.gateway.calls import Call as AskedCall
from apps.gateway.chat_answers import completion, failure
from apps.gateway.chat_requests import parse_chat_body
from apps.gateway.embedding_requests import EmbeddingBody, parse_embedding_body
from apps.gateway.embeddings import embedding_list
from apps.gateway.fields import LONGEST_RUN_SECONDS
from apps.gateway.response_answers import response
from apps.gateway.response_requests import parse_response_body
from apps.runs.embedding import Embedded, EmbeddingCaller, prepare_embedding
from apps.runs.engine import Engine
from apps.runs.types import RunRecord, RunRequest, RunResult

LARGEST_ANSWER: Final = 32 * 1024 * 1024
"""Vectors of many texts may be larger: whoever asks for those does so in several requests."""

Body = Callable[[RunResult], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Requests:
    """One run a row, of whatever its body asks for."""

    job: JobFacts

    def group(self, claims: Sequence[Claim]) -> list[tuple[Claim, ...]]:
        """Every row by itself."""
        return [(claim,) for claim in claims]

    async def work(self, claims: tuple[Claim, ...], hands: Hands) -> Sequence[Claim]:
        """Carry the request out; a refusal is its answer, unless it is for a moment or for the whole job."""
        (claim,) = claims
        try:
            await hands.execute(*self._asked(claim))
        except QuotaExceeded:
            raise
        except PromptsaasError as refusal:
            if refusal.status == 503:
                raise
            await hands.refuse([_refused(claim, refusal)])
        return ()

    def _asked(self, claim: Claim) -> tuple[RunRequest, Call]:
        """The run of a row, and how its result answers it. Raises InvalidRequest for a body that is wrong."""
        given, endpoint = claim.variables.get("body"), self.job.work.get("endpoint")
        if endpoint == "/v1/embeddings":
            return self._embedding(claim, parse_embedding_body(given))
        if endpoint == "/v1/responses":
            asked = parse_response_body(given)
            return run_request(self.job, claim, asked), _call(claim, partial(response, asked))
        return run_request(self.job, claim, parse_chat_body(given)), _call(claim, completion)

    def _embedding(self, claim: Claim, asked: EmbeddingBody) -> tuple[RunRequest, Call]:
        embedding = _Embedding(asked)
        return (
            run_request(self.job, claim, asked),
            Call((claim,), partial(_outcomes, claim, embedding.body), embedding.carry_out),
        )


@dataclass(slots=True)
class _Embedding:
    """The one request whose answer is more than its run: vectors, which no run keeps."""

    asked: EmbeddingBody
    caller: EmbeddingCaller | None = field(default=None)

    async def carry_out(self, engine: Engine, request: RunRequest) -> RunResult:
        """Embed the inputs; the vectors are at hand when the run is recorded."""
        parameters = {} if self.asked.dimensions is None else {"dimensions": self.asked.dimensions}
        prepared, self.caller = await prepare_embedding(engine, request, self.asked.inputs, parameters)
        return await engine.carry_out(prepared)

    def body(self, result: RunResult) -> dict[str, Any]:
        """The answer with its vectors."""
        vectors = self.caller.vectors if self.caller else ()
        return embedding_list(Embedded(result, vectors), as_base64=self.asked.as_base64)


def run_request(job: JobFacts, claim: Claim, asked: AskedCall) -> RunRequest:
    """The run that a row's body asks for."""
    return RunRequest(
        run_id=claim.run_id,
        organization_id=claim.organization_id,
        project_id=job.project_id,
        source="batch",
        source_id=job.id,
        usage_key=claim.usage_key,
        prompt=asked.prompt,
        model=asked.model,
        messages=asked.messages,
        variables=asked.variables,
        overrides=asked.parameters,
        metadata={**asked.metadata, "row": str(claim.number), "custom_id": _custom_id(claim)},
        user=asked.user,
        unit=asked.unit,
        record_payload=asked.store,
        api_key_id=job.api_key_id,
        request_id=request_id(claim.run_id),
        livemode=job.livemode,
        timeout_seconds=LONGEST_RUN_SECONDS,
        cache=asked.cache,
        repair_attempts=asked.repair_attempts,
        tools=asked.tools,
    )


def _call(claim: Claim, body: Body) -> Call:
    return Call((claim,), partial(_outcomes, claim, body))


def _outcomes(claim: Claim, body: Body, record: RunRecord) -> Sequence[Outcome]:
    result = record.result
    if result.error is not None:
        answer = _error_answer(claim, failure(result, result.error))
    else:
        answer = Answer(200, dump_json(body(result)))
    ended = outcome(claim, result, shortened=record.request.record_payload, answer=answer)
    return (ended if len(answer.body) <= LARGEST_ANSWER else _too_large(ended),)


def _too_large(ended: Outcome) -> Outcome:
    """A run whose answer can't be given, with all that it cost."""
    message = f"The answer is larger than {LARGEST_ANSWER // 1024**2} MB. Ask for less in one request."
    return replace(
        ended, status="failed", error_code="answer_too_large", error_message=message, output="", answer=None
    )


def _refused(claim: Claim, refusal: PromptsaasError) -> Outcome:
    return Outcome(
        claim,
        "failed",
        error_code=refusal.code,
        error_message=refusal.message,
        answer=_error_answer(claim, refusal),
    )


def _error_answer(claim: Claim, error: PromptsaasError) -> Answer:
    return Answer(error.status, dump_json(error.body(request_id(claim.run_id))))


def _custom_id(claim: Claim) -> str:
    return str(claim.metadata.get("custom_id", ""))
