"""The test call of a connection: a real call, outside of any scope, that tells the provider's own words."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from apps.providers.openai_compatible import OpenAICompatibleProvider
from apps.providers.types import ChatRequest, Connection, ProviderCallError

TIMEOUT_SECONDS: Final = 15.0
QUESTION: Final = ({"role": "user", "content": "Reply with the single word OK."},)


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What a test call found; `models` is what the provider lists, empty when it was not asked."""

    passed: bool
    message: str
    models: tuple[str, ...] = ()


def run_test(connection: Connection) -> CallOutcome:
    """Call the provider and wait at most half a minute. Never call it inside a scope."""
    return asyncio.run(_test(connection))


async def _test(connection: Connection) -> CallOutcome:
    provider = OpenAICompatibleProvider(connection)
    try:
        if connection.models:
            return await _ask(provider, connection.models[0])
        return await _list(provider)
    except ProviderCallError as failure:
        return CallOutcome(passed=False, message=failure.message)
    finally:
        await provider.close()


async def _list(provider: OpenAICompatibleProvider) -> CallOutcome:
    models = await provider.list_models(TIMEOUT_SECONDS)
    if not models:
        return CallOutcome(passed=False, message="The provider lists no models. Enter the ones that you use.")
    return CallOutcome(passed=True, message=f"The provider lists {len(models)} models.", models=tuple(models))


async def _ask(provider: OpenAICompatibleProvider, model: str) -> CallOutcome:
    began = time.perf_counter()
    answer = await provider.complete(ChatRequest(model, QUESTION, timeout_seconds=TIMEOUT_SECONDS))
    milliseconds = round((time.perf_counter() - began) * 1000)
    return CallOutcome(passed=True, message=f"{answer.model} answered in {milliseconds:,} ms.")
