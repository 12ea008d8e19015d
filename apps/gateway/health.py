"""/healthz and /readyz of the gateway process."""

from apps.core.health import areadiness, liveness
from apps.gateway.http import HttpRequest, JsonAnswer, Send, send_json
from apps.gateway.serving import Serving


async def healthz(serving: Serving, request: HttpRequest, send: Send) -> None:
    """The process answers."""
    health = liveness()
    await send_json(request, send, JsonAnswer(health.body(), health.status))


async def readyz(serving: Serving, request: HttpRequest, send: Send) -> None:
    """The process can do its work: database, migrations, partitions, and a change feed that is read."""
    health = await areadiness()
    fresh = serving.runtime.freshness.is_fresh()
    status = health.status if fresh and not serving.draining else 503
    await send_json(request, send, JsonAnswer(health.body() | {"change_feed": fresh}, status))
