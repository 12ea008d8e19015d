"""What providers offer, asked through the vendors' own clients: they know the paging of their lists.

Off the path of runs, so each list opens a client and closes it. No environment, no retries, no tracing.
"""

import asyncio
from typing import Any, Final

import httpx2

from apps.core import lazy, outbound
from apps.providers.anthropic_provider import NOT_UNDERSTOOD as NOT_MESSAGES
from apps.providers.openai_compatible import NOT_UNDERSTOOD as NOT_COMPLETIONS
from apps.providers.sdk_errors import ErrorTranslator
from apps.providers.types import Connection

NO_KEY: Final = "none"  # without one, the clients look for the operator's own in environment and files
MOST_LISTED: Final = 1000


async def list_models(connection: Connection, timeout_seconds: float) -> list[str]:
    """The ids of the models that can be called. Raises ProviderCallError.

    The first call loads the client, which takes up to a second: call it where that harms nobody.
    """
    if connection.api == "anthropic":
        return await _list_anthropic(connection, timeout_seconds)
    return await _list_openai(connection, timeout_seconds)


async def _list_openai(connection: Connection, timeout_seconds: float) -> list[str]:
    openai: Any = lazy.load("openai")
    errors = ErrorTranslator(openai, connection, NOT_COMPLETIONS)
    client = openai.AsyncOpenAI(
        api_key=connection.api_key or NO_KEY,
        base_url=connection.base_url,
        max_retries=0,
        http_client=_http_client(),
    )
    # The client reads these from the environment: the operator's account is not the customer's.
    client.organization = client.project = client.admin_api_key = None
    client._custom_headers = dict(connection.headers)
    with errors.translating():
        async with client, asyncio.timeout(timeout_seconds):
            page = await client.models.list(timeout=timeout_seconds)
    found = getattr(page, "data", None)
    if not isinstance(found, list):
        raise errors.not_understood()
    return sorted({str(model.id) for model in found if getattr(model, "id", None)})


async def _list_anthropic(connection: Connection, timeout_seconds: float) -> list[str]:
    anthropic: Any = lazy.load("anthropic")
    errors = ErrorTranslator(anthropic, connection, NOT_MESSAGES)
    client = anthropic.AsyncAnthropic(
        api_key=connection.api_key or NO_KEY,
        # The client adds /v1 itself.
        base_url=connection.base_url.removesuffix("/v1"),
        max_retries=0,
        open_telemetry={"traces": False, "propagation": False},
        http_client=_http_client(),
    )
    client._custom_headers = dict(connection.headers)
    with errors.translating():
        async with client, asyncio.timeout(timeout_seconds):
            page = await client.models.list(limit=MOST_LISTED, timeout=timeout_seconds)
        offered = [model for model in page.data if getattr(model, "lifecycle", None) != "retired"]
        return sorted({str(model.id) for model in offered if getattr(model, "id", None)})


def _http_client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=outbound.async_public_address_transport(), trust_env=False, follow_redirects=False
    )
