"""Embeddings as runs: limited, guarded, reserved, called with retries, recorded with usage and price.

The texts stand in the run as messages of the user, so that everything that looks at a run's input looks at
them too; the vectors are given to the caller and kept nowhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from apps.core.chat_content import text_of
from apps.core.errors import InvalidRequest
from apps.prompts.serving import CacheRules
from apps.providers.sandbox import embedding as sandbox
from apps.providers.types import (
    SANDBOX,
    ChatRequest,
    ChatResult,
    EmbeddingRequest,
    Provider,
    ProviderCallError,
)
from apps.runs.engine import Engine
from apps.runs.types import PreparedRun, RunRequest, RunResult

Input = str | tuple[int, ...]
SANDBOX_EMBEDDING: Final = f"{SANDBOX}/{sandbox.MODEL}"
_NOT_UNDERSTOOD: Final = "The provider's answer does not have one vector for each input."


@dataclass(frozen=True, slots=True)
class Embedded:
    """A recorded run and, where it succeeded, a vector for each input."""

    result: RunResult
    vectors: Sequence[Sequence[float]]


def input_messages(inputs: Sequence[Input]) -> tuple[dict[str, Any], ...]:
    """The inputs as a run's messages; of tokens only their number is told, for nobody can read them."""
    return tuple(
        {"role": "user", "content": each if isinstance(each, str) else f"({len(each)} tokens)"}
        for each in inputs
    )


async def embed(
    engine: Engine, request: RunRequest, inputs: Sequence[Input], parameters: dict[str, Any]
) -> Embedded:
    """Embed the inputs, whose `input_messages` the request has. Raises core errors for what is refused."""
    prepared, caller = await prepare_embedding(engine, request, inputs, parameters)
    return Embedded(await engine.carry_out(prepared), caller.vectors)


async def prepare_embedding(
    engine: Engine, request: RunRequest, inputs: Sequence[Input], parameters: dict[str, Any]
) -> tuple[PreparedRun, "EmbeddingCaller"]:
    """The run to carry out, and who will have its vectors, when it is recorded at the latest.

    Raises core errors for what is refused.
    """
    prepared = _itself(await engine.prepare(request))
    caller = EmbeddingCaller(prepared.target.provider, inputs)
    model = prepared.target.model
    if prepared.target.sandbox and not request.livemode:
        model = sandbox.MODEL  # a test key gets the sandbox whatever it asks for
    target = replace(prepared.target, model=model, provider=caller)
    chat = replace(prepared.chat, model=model, parameters=parameters)
    return replace(prepared, target=target, chat=chat), caller


def _itself(prepared: PreparedRun) -> PreparedRun:
    """The run with nothing in its model's place: another's vectors would not compare, caches keep none."""
    calls = replace(prepared.rules.calls, fallbacks=())
    return replace(prepared, rules=replace(prepared.rules, calls=calls, cache=CacheRules()))


@dataclass(eq=False, slots=True)
class EmbeddingCaller:
    """A provider whose one way of answering is to embed what the messages say."""

    provider: Provider
    inputs: Sequence[Input]
    vectors: Sequence[Sequence[float]] = field(default=())

    async def complete(self, request: ChatRequest) -> ChatResult:
        """Ask for the vectors and keep them. Raises ProviderCallError."""
        texts = tuple(
            text_of(message) if isinstance(given, str) else given
            for given, message in zip(self.inputs, request.messages, strict=True)
        )
        asked = EmbeddingRequest(request.model, texts, request.parameters, request.timeout_seconds)
        try:
            answer = await self.provider.embed(asked)
        except InvalidRequest as refused:
            # Of a provider without embeddings: the run has begun, so this is how it ends.
            raise ProviderCallError(
                refused.message, reason="bad_request", retryable=False, status=refused.status
            ) from refused
        if len(answer.vectors) != len(texts):
            raise ProviderCallError(_NOT_UNDERSTOOD, reason="server", retryable=False)
        self.vectors = answer.vectors
        return ChatResult(
            text="",
            finish_reason="stop",
            usage=answer.usage,
            model=answer.model,
            provider_request_id=answer.provider_request_id,
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self.provider, name)
