"""Providers written out in tests, and the ways that lead to them."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from apps.core import ids
from apps.core.errors import NotFound
from apps.prompts.serving import CallRules
from apps.providers.health import ConnectionHealth
from apps.providers.types import (
    ChatDelta,
    ChatRequest,
    ChatResult,
    Connection,
    EmbeddingRequest,
    EmbeddingResult,
    ProviderCallError,
    Usage,
)
from apps.runs.calling import RetryPolicy, Route
from apps.runs.types import RunRequest, Target

REQUEST = ChatRequest(model="m", messages=({"role": "user", "content": "hi"},))
ANSWER = ChatResult(text="Hello there", finish_reason="stop", usage=Usage(3, 2), model="m")
FAST = RetryPolicy(retries=2, first_wait=0.001, longest_wait=0.001)
ORGANIZATION = UUID(int=1)


def failure(
    reason: Any = "server", *, retryable: bool = True, retry_after: float | None = None, status: int = 503
) -> ProviderCallError:
    return ProviderCallError(
        "Overloaded.", reason=reason, retryable=retryable, retry_after=retry_after, status=status
    )


class ScriptedProvider:
    """Does what its list says, one entry a call: raise an error, wait for ever, or answer."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.calls = 0
        self.closed_streams = 0
        self.asked: list[ChatRequest] = []

    def check(self, request: ChatRequest) -> None:
        """Nothing is refused."""

    def adapt(self, request: ChatRequest) -> ChatRequest:
        """Nothing is changed."""
        return request

    def request_body(self, request: ChatRequest) -> dict[str, Any]:
        """Nothing is sent."""
        return {}

    async def complete(self, request: ChatRequest) -> ChatResult:
        answer: ChatResult = await self._next(request)
        return answer

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatDelta | ChatResult, None]:
        try:
            for item in self._script(request):
                if isinstance(item, Exception):
                    raise item
                if item is None:
                    await asyncio.Event().wait()
                yield item
        finally:
            self.closed_streams += 1

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        raise NotImplementedError

    async def close(self) -> None:
        return None

    async def _next(self, request: ChatRequest) -> Any:
        item = self._script(request)
        if isinstance(item, Exception):
            raise item
        if item is None:
            await asyncio.Event().wait()
        return item

    def _script(self, request: ChatRequest) -> Any:
        self.calls += 1
        self.asked.append(request)
        return self.script.pop(0)


class Targets:
    """A TargetSource over targets by reference."""

    def __init__(self, *targets: Target) -> None:
        self.targets = {target.reference: target for target in targets}
        self.opened: list[str] = []

    async def open(self, request: RunRequest, model: str) -> Target:
        self.opened.append(model)
        if model not in self.targets:
            raise NotFound("There is no such connection.", code="connection_not_found")
        return self.targets[model]


def health(*, concurrent_calls: int | None = None, clock: Any = None) -> ConnectionHealth:
    connection = Connection(
        "c", "https://c.example.com", credential_id=uuid4(), concurrent_calls=concurrent_calls
    )
    return ConnectionHealth(ORGANIZATION, connection, **({"clock": clock} if clock else {}))


def target(provider: ScriptedProvider, reference: str = "first/m", **values: Any) -> Target:
    connection, _, model = reference.partition("/")
    return Target(connection, f"https://{connection}.example.com", model, provider, sandbox=False, **values)


def way(
    first: Target, *others: Target, policy: RetryPolicy = FAST, request: ChatRequest = REQUEST, **rules: Any
) -> Route:
    """A route to `first`, then to the others in order."""
    rules.setdefault("fallbacks", tuple(other.reference for other in others))
    asked = RunRequest(
        run_id=ids.uuid7(),
        organization_id=ORGANIZATION,
        project_id=ORGANIZATION,
        source="gateway",
        usage_key="k",
    )
    return Route(first, request, CallRules(**rules), policy, asked, Targets(*others), datetime.now(UTC))
