"""The path router of the public origin: the gateway's paths stay in this process, all else goes on to web.

A streaming reverse proxy: neither the request's nor the answer's body is held in memory.
"""

import ipaddress
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

import httpx2
import orjson

from apps.core.errors import Unavailable
from apps.core.logs import get_logger
from promptsaas.asgi_types import Application, Message, Receive, Scope, Send
from promptsaas.routes import belongs_to_gateway

Header = tuple[bytes, bytes]

# Headers that speak about one connection, not about the message (RFC 9110 §7.6.1).
HOP_BY_HOP: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"}
    | {b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
FORWARDED: Final = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"})
CONNECT_SECONDS: Final = 5.0
# Longer than any statement of web may take.
ANSWER_SECONDS: Final = 120.0
CONNECTIONS: Final = 200

logger = get_logger(__name__)


class Router:
    """An ASGI application in front of the gateway's."""

    def __init__(self, gateway: Application, upstream: str, trusted_proxies: Sequence[str]) -> None:
        self.gateway = gateway
        self.upstream = httpx2.URL(upstream)
        self.trusted = [ipaddress.ip_network(proxy, strict=False) for proxy in trusted_proxies]
        self._client: httpx2.AsyncClient | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the process's lifespan (which is the gateway's)."""
        if scope["type"] == "lifespan":
            try:
                await self.gateway(scope, receive, send)
            finally:
                await self.close()
        elif scope["type"] != "http" or belongs_to_gateway(scope["method"], scope["path"]):
            await self.gateway(scope, receive, send)
        else:
            await self._proxy(scope, receive, send)

    async def close(self) -> None:
        """Close the connections to web."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    @property
    def client(self) -> httpx2.AsyncClient:
        """Made at first use, inside the event loop that will use it."""
        if self._client is None:
            self._client = httpx2.AsyncClient(
                timeout=httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
                limits=httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=50),
                trust_env=False,
                follow_redirects=False,
            )
        return self._client

    async def _proxy(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = httpx2.Request(
            scope["method"],
            self.upstream.copy_with(raw_path=_raw_target(scope)),
            headers=self._request_headers(scope),
            content=_body(receive) if _has_body(scope["headers"]) else None,
        )
        try:
            response = await self.client.send(request, stream=True)
        except httpx2.HTTPError as error:
            await _refuse(send, error)
            return
        try:
            await _pass_on(response, send)
        finally:
            await response.aclose()

    def _request_headers(self, scope: Scope) -> list[Header]:
        headers = _end_to_end(scope["headers"])
        given = {name: value for name, value in headers if name in FORWARDED}
        kept = [header for header in headers if header[0] not in FORWARDED]
        peer = (scope.get("client") or ("", 0))[0]
        trusted = self._is_trusted(peer)
        host = next((value for name, value in kept if name == b"host"), b"")
        # Only a proxy of ours may say on whose behalf it asks; anybody else's word is dropped.
        before = given.get(b"x-forwarded-for", b"") if trusted else b""
        return [
            *kept,
            (b"x-forwarded-for", b", ".join(part for part in (before, peer.encode()) if part)),
            (b"x-forwarded-proto", _said(given, b"x-forwarded-proto", trusted, scope["scheme"].encode())),
            (b"x-forwarded-host", _said(given, b"x-forwarded-host", trusted, host)),
        ]

    def _is_trusted(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self.trusted)


def _said(given: dict[bytes, bytes], name: bytes, trusted: bool, otherwise: bytes) -> bytes:
    return given.get(name, otherwise) if trusted else otherwise


def _raw_target(scope: Scope) -> bytes:
    # The raw path: `%2F` in a prompt's name must reach web as it came.
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    path = path.partition(b"?")[0]
    return path + b"?" + query if query else path


def _end_to_end(headers: Iterable[Header]) -> list[Header]:
    listed = [(name.lower(), value) for name, value in headers]
    named = b",".join(value for name, value in listed if name == b"connection")
    dropped = HOP_BY_HOP | {word.strip().lower() for word in named.split(b",")}
    return [header for header in listed if header[0] not in dropped]


def _has_body(headers: Iterable[Header]) -> bool:
    names = {name.lower(): value for name, value in headers}
    return b"transfer-encoding" in names or names.get(b"content-length", b"0") != b"0"


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise httpx2.ReadError("the client went away")
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return


async def _pass_on(response: httpx2.Response, send: Send) -> None:
    headers = _end_to_end(response.headers.raw)
    start: Message = {"type": "http.response.start", "status": response.status_code, "headers": headers}
    await send(start)
    async for chunk in response.aiter_raw():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _refuse(send: Send, cause: Exception) -> None:
    logger.warning("router.web_is_away", extra={"cause": repr(cause)})
    refusal = Unavailable("This page can't be reached for the moment.", code="web_unavailable", retry_after=1)
    body = orjson.dumps(refusal.body(None))
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in refusal.headers().items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
