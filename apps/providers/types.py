"""The language every provider speaks: plain frozen data, free of Django and of any vendor's client."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol
from uuid import UUID

from apps.core.errors import InvalidRequest
from apps.core.records import record
from apps.providers.patterns import matches

CallErrorReason = Literal[
    "rate_limited",
    "timeout",
    "server",
    "bad_request",
    "authentication",
    "connection",
    "content_filter",
    "breaker_open",
    "busy",
]
"""Why a call failed; `breaker_open` and `busy` were never made: the connection was failing, or full."""


@record(frozen=True, slots=True)
class ChatRequest:
    """One chat call: `model` is the provider's own id, without the connection in front.

    Messages and `tools` are in OpenAI's form, checked at the entrance; an assistant's message may carry
    `tool_calls` with its content None, and a `tool` message names its `tool_call_id`. `tool_choice` and
    `parallel_tool_calls` are parameters.
    """

    model: str
    messages: tuple[dict[str, Any], ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    output_schema: dict[str, Any] | None = None
    timeout_seconds: float = 60.0
    tools: tuple[dict[str, Any], ...] = ()


@record(frozen=True, slots=True)
class Usage:
    """Tokens as the provider reported them; None means that it did not say.

    `cached_tokens` were read from the provider's cache and `cache_write_tokens` written to it; both are part
    of `input_tokens`.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


@record(frozen=True, slots=True)
class ChatResult:
    """A finished answer; `model` is the id that the provider says it used.

    `tool_calls` in OpenAI's form: `{"id", "type": "function", "function": {"name", "arguments"}}`, where the
    arguments are JSON text as the model wrote it, unchecked. `finish_reason` is one of OpenAI's.
    """

    text: str
    finish_reason: str | None
    usage: Usage
    model: str
    provider_request_id: str | None = None
    tool_calls: tuple[dict[str, Any], ...] = ()


@record(frozen=True, slots=True)
class ChatDelta:
    """A piece of a streamed answer: text, or pieces of tool calls.

    `tool_calls` are OpenAI's deltas: each has its call's `index`; the first of a call has `id`, `type` and
    `function.name`, and the pieces of `function.arguments` belong together in order.
    """

    text: str
    tool_calls: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts to turn into vectors, each as text or as token numbers: `model` as in ChatRequest, `parameters`
    such as `dimensions`.
    """

    model: str
    texts: tuple[str | tuple[int, ...], ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    timeout_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class EmbeddingResult:
    """A vector for each text, in their order."""

    vectors: list[list[float]]
    usage: Usage
    model: str
    provider_request_id: str | None = None


class ProviderCallError(Exception):
    """A call that failed at the provider or on the way to it; the message is safe to show to the customer."""

    def __init__(
        self,
        message: str,
        *,
        reason: CallErrorReason,
        retryable: bool,
        retry_after: float | None = None,
        status: int | None = None,
        provider_request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason: CallErrorReason = reason
        self.retryable = retryable
        self.retry_after = retry_after
        self.status = status
        self.provider_request_id = provider_request_id


class Provider(Protocol):
    """Something that answers chat requests; it never retries, because retrying is the engine's."""

    def check(self, request: ChatRequest) -> None:
        """Raise errors.InvalidRequest for what this provider can't be asked, before anything is spent."""
        ...

    def adapt(self, request: ChatRequest) -> ChatRequest:
        """A request made for another provider, without the parameters that only steer (a seed, penalties)
        and that this one has no counterpart of; what changes the answer's form is left for `check`.
        """
        ...

    def request_body(self, request: ChatRequest) -> dict[str, Any]:
        """What `complete` would send, as JSON; nothing is called, and no secret is in it."""
        ...

    async def complete(self, request: ChatRequest) -> ChatResult:
        """Answer in one piece; raises ProviderCallError."""
        ...

    def stream(self, request: ChatRequest) -> AsyncIterator[ChatDelta | ChatResult]:
        """Answer in pieces, the last of which is the whole ChatResult; raises ProviderCallError."""
        ...

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """Vectors of texts; raises ProviderCallError, and InvalidRequest (code embeddings_unsupported)."""
        ...

    async def close(self) -> None:
        """Close the connections that are held open."""
        ...


SANDBOX: Final = "sandbox"
API = Literal["openai", "anthropic"]
"""Which API a connection speaks: OpenAI's chat completions, or Anthropic's messages."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A configured way to a provider with its unsealed secrets: never log it, never pickle it.

    Without a base URL it is the sandbox.
    """

    slug: str
    base_url: str = ""
    api_key: str = field(default="", repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    models: tuple[str, ...] = ()
    credential_id: UUID | None = None
    api: API = "openai"
    concurrent_calls: int | None = None

    @property
    def kind(self) -> str:
        """What prices are found by: `sandbox`, or the address that is called."""
        return self.base_url or SANDBOX

    @property
    def is_sandbox(self) -> bool:
        """Whether no real provider stands behind it."""
        return not self.base_url

    def demand_enabled(self, model: str) -> None:
        """Raise InvalidRequest (code model_not_enabled) for a model that may not be called.

        The sandbox tells in its own words what it does not have.
        """
        if not self.is_sandbox and not any(matches(pattern, model) for pattern in self.models):
            message = (
                f"The model '{model[:200]}' is not enabled on the connection '{self.slug}'. "
                "Enable it under Settings, Providers."
            )
            raise InvalidRequest(message, code="model_not_enabled", param="model")


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model that a project can name: `reference` is `<connection>/<model id>`."""

    reference: str
    label: str
    connection: str
    sandbox: bool
