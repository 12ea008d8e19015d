"""The serving plane: a lean ASGI application.

`application` is mounted by `promptsaas.asgi_gateway`, which has set Django up. One request walks:
route → authenticate → rate limit → permission → handler; every error leaves in the one JSON shape.
"""

import asyncio
import time
from collections.abc import MutableMapping
from contextlib import AsyncExitStack
from typing import Any, Final

from apps.core import log_fields
from apps.core.api_version import VERSION_HEADER, check_version
from apps.core.error_mapping import MethodNotAllowed, to_error
from apps.core.errors import InvalidRequest, NotFound, PromptsaasError, Unavailable
from apps.core.logs import get_logger
from apps.core.metrics import count_request
from apps.core.request_id import set_request_id
from apps.gateway.http import Disconnected, HttpRequest, Receive, Send, error_answer, send_json
from apps.gateway.routes import PlaygroundRoute, PublicRoute, Route, allowed_methods, find_route
from apps.gateway.serving import Serving, open_serving

Scope = MutableMapping[str, Any]

VERSION_BYTES: Final = VERSION_HEADER.lower().encode()
NOBODY_ANSWERED: Final = 499
STOPPING: Final = Unavailable("The gateway is stopping; try again.", code="stopping", retry_after=1)
BROKEN_OFF: Final = InvalidRequest("The request was broken off.", code="request_broken_off")

logger = get_logger(__name__)


class Gateway:
    """The ASGI application; its state lives from lifespan start-up to shutdown."""

    def __init__(self) -> None:
        self._serving: Serving | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                self._serving = await stack.enter_async_context(open_serving())
            except Exception as error:
                logger.exception("gateway.start_failed")
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
        self._serving = None
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HttpRequest(
            method=scope["method"],
            path=scope["path"],
            headers=dict(scope["headers"]),
            receive=receive,
            peer=(scope.get("client") or ("", 0))[0],
            query_string=scope.get("query_string", b""),
        )
        set_request_id(request.request_id)
        log_fields.begin(request.request_id)
        answer = _Answer(send)
        started = time.perf_counter()
        try:
            await self._handle(request, answer.send)
        except (asyncio.CancelledError, Exception) as error:
            refusal = self._refusal(request, error)
            if refusal is None or (answer.started and not isinstance(error, Disconnected)):
                # Half an answer is out; the server closes the connection when the application raises.
                raise
            if not answer.started:
                request.note_unread()
                await send_json(request, answer.send, error_answer(request, refusal))
        finally:
            seconds = time.perf_counter() - started
            count_request(request.method, request.route or "unmatched", answer.status, seconds)

    def _refusal(
        self, request: HttpRequest, error: asyncio.CancelledError | Exception
    ) -> PromptsaasError | None:
        """What a client is told of what ended its request; None where that is not for us to say."""
        if isinstance(error, asyncio.CancelledError):
            # The run that was broken off for the process to end is recorded; its caller may ask another.
            return STOPPING if self._serving is not None and self._serving.draining else None
        if isinstance(error, Disconnected):
            logger.info("gateway.client_left", extra={"method": request.method})
            # Left unanswered, a client whose chunks can't be read would be told of a fault of ours.
            return BROKEN_OFF
        refusal = to_error(error)
        # What succeeds is a run, with its request id; a line for each would cost a tenth of our own time.
        logger.info(
            "request.refused",
            extra={"method": request.method, "status": refusal.status, "code": refusal.code},
        )
        return refusal

    async def _handle(self, request: HttpRequest, send: Send) -> None:
        if self._serving is None:
            raise Unavailable("The gateway is starting.", code="starting", retry_after=1)
        if self._serving.draining:
            request.answer_headers[b"connection"] = b"close"
        route = _demand_route(request)
        request.route = route.path
        if isinstance(route, PublicRoute):
            await route.handler(self._serving, request, send)
            return
        check_version(request.header(VERSION_BYTES))
        if isinstance(route, PlaygroundRoute):
            who = await self._serving.playground_door.admit(request)
            log_fields.note_id("organization_id", "org", who.organization_id)
            await route.handler(self._serving, request, send, who)
            return
        facts = await self._serving.door.admit(request, route.permission)
        log_fields.note_id("organization_id", "org", facts.organization_id)
        try:
            await route.handler(self._serving, request, send, facts)
        finally:
            if request.owed:
                self._serving.door.collect(request)


class _Answer:
    """Remembers whether an answer has begun, and its status; 499 as long as nobody was answered."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False
        self.status = NOBODY_ANSWERED

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if not self.started:
            self.started = True
            self.status = message["status"]
        await self._send(message)


def _demand_route(request: HttpRequest) -> Route:
    route = find_route(request.method, request.path)
    if route is not None:
        return route
    methods = allowed_methods(request.path)
    if methods:
        request.answer_headers[b"allow"] = ", ".join(methods).encode()
        raise MethodNotAllowed("This address does not answer to that method.")
    raise NotFound("There is nothing at this address.", code="route_not_found")


application = Gateway()
