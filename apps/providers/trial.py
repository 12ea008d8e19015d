"""The test call of a connection: a real call, outside of any scope, that tells the provider's own words."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from apps.providers.adapters import open_provider
from apps.providers.batches import open_batches
from apps.providers.batches.wire import NOT_UNDERSTOOD
from apps.providers.patterns import is_pattern
from apps.providers.sdk_listing import list_models
from apps.providers.types import ChatRequest, Connection, Provider, ProviderCallError

TIMEOUT_SECONDS: Final = 15.0
QUESTION: Final = ({"role": "user", "content": "Reply with the single word OK."},)


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What a test call found; `models` is what the provider lists, empty when it was not asked.

    `offers_batches` is whether it has a batch endpoint, None where that could not be told.
    """

    passed: bool
    message: str
    models: tuple[str, ...] = ()
    offers_batches: bool | None = None


def run_test(connection: Connection) -> CallOutcome:
    """Call the provider and wait at most half a minute. Never call it inside a scope."""
    return asyncio.run(_test(connection))


async def _test(connection: Connection) -> CallOutcome:
    provider = open_provider(connection)
    asked = next((model for model in connection.models if not is_pattern(model)), None)
    try:
        listed = await _listed(connection, required=asked is None)
        if asked is not None:
            message, batches = await _ask(provider, asked), await _has_batches(connection)
            return CallOutcome(passed=True, message=message, models=listed, offers_batches=batches)
        if not listed:
            return CallOutcome(passed=False, message="The provider lists no models. Enter the ones you use.")
        message, batches = f"The provider lists {len(listed)} models.", await _has_batches(connection)
        return CallOutcome(passed=True, message=message, models=listed, offers_batches=batches)
    except ProviderCallError as failure:
        return CallOutcome(passed=False, message=failure.message)
    finally:
        await provider.close()


async def _listed(connection: Connection, *, required: bool) -> tuple[str, ...]:
    """What the provider offers. Servers without such a list are none the worse where a model is known."""
    try:
        return tuple(await list_models(connection, TIMEOUT_SECONDS))
    except ProviderCallError:
        if required:
            raise
        return ()


async def _has_batches(connection: Connection) -> bool | None:
    """Whether the server has a batch endpoint that this key may use; None where it did not say."""
    endpoint = open_batches(connection)
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await endpoint.probe()
    except ProviderCallError as failure:
        # What answers something else, such as a page, has none; a failure tells nothing.
        told = failure.reason in ("bad_request", "authentication") or failure.message == NOT_UNDERSTOOD
        return False if told else None
    except TimeoutError:
        return None
    finally:
        await endpoint.close()
    return True


async def _ask(provider: Provider, model: str) -> str:
    began = time.perf_counter()
    answer = await provider.complete(ChatRequest(model, QUESTION, timeout_seconds=TIMEOUT_SECONDS))
    milliseconds = round((time.perf_counter() - began) * 1000)
    return f"{answer.model} answered in {milliseconds:,} ms."
