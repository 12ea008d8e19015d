"""Calls to addresses that a tenant chose (providers, webhooks), without reaching our own network.

A host name is resolved once, every address of the answer is checked, and the connection goes to a checked
address while TLS and the Host header keep the name; so a name that changes its mind gains nothing. Only
https on port 443, no redirects, caps on size and time. `OUTBOUND_ALLOWED_HOSTS` ("host:port") is the
operator's list of exceptions, such as a local model server; a tenant can't add to it.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final

import httpcore2
import httpx2
from django.conf import settings

from apps.core.errors import InvalidRequest

PORT: Final = 443
SIZE_LIMIT: Final = 32 * 1024 * 1024
TIME_LIMIT_SECONDS: Final = 600.0
CONNECT_SECONDS: Final = 10.0
LONGEST_HOST: Final = 253
LONGEST_LABEL: Final = 63
ADDRESSES_TRIED: Final = 3
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

# Beside what `is_global` refuses: 6to4 relays, and everything that is not plain unicast.
_IPV4_REFUSED: Final = tuple(map(ip_network, ("192.88.99.0/24", "224.0.0.0/3")))
# Global unicast is 2000::/3; NAT64 (64:ff9b::), mapped and compatible forms lie outside of it. Refused
# inside: protocol assignments with Teredo, documentation, 6to4.
_IPV6_ALLOWED: Final = ip_network("2000::/3")
_IPV6_REFUSED: Final = tuple(map(ip_network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))

Resolve = Callable[[str, int], list[str]]
ResolveAsync = Callable[[str, int], Awaitable[list[str]]]


class OutboundRefused(InvalidRequest):
    """The address may not be called."""

    default_code = "address_refused"


class OutboundLimit(InvalidRequest):
    """The answer was too large, took too long, or was a redirect."""

    default_code = "answer_refused"


def check_url(url: str) -> str:
    """A URL whose form may be called, as it came; nothing is resolved, so it is safe in a form or a scope.

    Raises OutboundRefused. The addresses are checked when the call is made.
    """
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError):
        raise OutboundRefused("This is not a URL.") from None
    _check_target(parsed)
    return url


def is_public_address(text: str) -> bool:
    """Whether an IP address is an ordinary address of the public internet."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _IPV4_REFUSED)
    return _is_public_ipv6(address)


def _is_public_ipv6(address: IPv6Address) -> bool:
    if address.scope_id is not None or address not in _IPV6_ALLOWED or not address.is_global:
        return False
    return not any(address in network for network in _IPV6_REFUSED)


def _is_allowed(host: str, port: int) -> bool:
    """Whether the operator has allowed this host and port."""
    name = f"[{host}]" if ":" in host else host
    return f"{name.lower()}:{port}" in {entry.lower() for entry in settings.OUTBOUND_ALLOWED_HOSTS}


def _port(url: httpx2.URL) -> int:
    return url.port or (80 if url.scheme == "http" else PORT)


def _check_target(url: httpx2.URL) -> None:
    host, port = url.host, _port(url)
    if url.scheme not in {"http", "https"} or not host:
        raise OutboundRefused("Only https addresses can be called.")
    if url.userinfo:
        raise OutboundRefused("A URL may not hold a user name or password.")
    if _is_allowed(host, port):
        return
    if url.scheme != "https":
        raise OutboundRefused("Only https addresses can be called.")
    if port != PORT:
        raise OutboundRefused(f"Only port {PORT} can be called.")
    _check_host(host)


def _check_host(host: str) -> None:
    if len(host) > LONGEST_HOST:
        raise OutboundRefused("The host name is too long.")
    if ":" in host or host.replace(".", "").isdigit():
        if not is_public_address(host):
            raise OutboundRefused("This address is not on the public internet.")
        return
    # `0x7f.1` or `127.1`: forms that resolvers read as an IPv4 address, whatever they look like.
    last = host.rstrip(".").rpartition(".")[2]
    if not last or last[0].isdigit():
        raise OutboundRefused("The host is not a name.")
    if not all(0 < len(label) <= LONGEST_LABEL for label in host.removesuffix(".").split(".")):
        raise OutboundRefused("The host is not a name.")
    if "." not in host.rstrip(".") or last.lower() in {"localhost", "local", "internal"}:
        raise OutboundRefused("The host is not a public name.")


def checked_addresses(host: str, port: int, answers: Iterable[str]) -> list[str]:
    """The addresses to try, in order. One bad address condemns the whole answer: raises OutboundRefused."""
    addresses = list(dict.fromkeys(answers))
    if not addresses:
        raise OutboundRefused(f"{host} has no address.")
    if not _is_allowed(host, port) and not all(is_public_address(address) for address in addresses):
        raise OutboundRefused(f"{host} is not on the public internet.")
    # IPv4 first: many servers have no IPv6 route.
    return sorted(addresses, key=lambda address: ":" in address)[:ADDRESSES_TRIED]


def resolve(host: str, port: int) -> list[str]:
    """The system's resolver. An address stands for itself."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the latter of what can't be a name
        return []
    return [str(entry[4][0]) for entry in found]


async def resolve_async(host: str, port: int) -> list[str]:
    """`resolve` for an event loop."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the latter of what can't be a name
        return []
    return [str(entry[4][0]) for entry in found]


class _PinnedBackend(httpcore2.NetworkBackend):
    """Connects to a checked address; httpcore keeps the name for TLS and Host."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        *others, last = checked_addresses(host, port, self._resolve(host, port))
        for address in others:
            with suppress(httpcore2.ConnectError):
                return self._sockets.connect_tcp(address, port, timeout, local_address, socket_options)
        return self._sockets.connect_tcp(last, port, timeout, local_address, socket_options)


class _AsyncPinnedBackend(httpcore2.AsyncNetworkBackend):
    """`_PinnedBackend` for an event loop."""

    def __init__(self, resolve: ResolveAsync) -> None:
        self._resolve = resolve
        self._sockets = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            answers = await asyncio.wait_for(self._resolve(host, port), timeout)
        except TimeoutError:
            raise httpcore2.ConnectTimeout(f"resolving {host} took too long") from None
        *others, last = checked_addresses(host, port, answers)
        for address in others:
            with suppress(httpcore2.ConnectError):
                return await self._sockets.connect_tcp(address, port, timeout, local_address, socket_options)
        return await self._sockets.connect_tcp(last, port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Caps:
    """Counts one answer's bytes and watches its time."""

    def __init__(self, size_limit: int, time_limit: float) -> None:
        self._size_limit = size_limit
        self._left = size_limit
        self._until = time.monotonic() + time_limit

    def shorten(self, request: httpx2.Request) -> None:
        """No single step may wait longer than the whole call may."""
        left = max(0.001, self._until - time.monotonic())
        given = request.extensions.get("timeout", {})
        steps = {step: min(given.get(step) or left, left) for step in ("read", "write", "pool")}
        steps["connect"] = min(given.get("connect") or CONNECT_SECONDS, left, CONNECT_SECONDS)
        request.extensions = {**request.extensions, "timeout": steps}

    def count(self, chunk: bytes) -> None:
        """Raise OutboundLimit past either cap."""
        self._left -= len(chunk)
        if self._left < 0:
            raise OutboundLimit(f"The answer is larger than {self._size_limit:,} bytes.")
        if time.monotonic() > self._until:
            raise OutboundLimit("The answer took too long.")


class _CappedStream(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, caps: _Caps) -> None:
        self._stream, self._caps = stream, caps

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._caps.count(chunk)
            yield chunk

    def close(self) -> None:
        self._stream.close()


class _AsyncCappedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, caps: _Caps) -> None:
        self._stream, self._caps = stream, caps

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._caps.count(chunk)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class PublicAddressTransport(httpx2.HTTPTransport):
    """A transport that calls public https addresses only; see the module."""

    def __init__(
        self,
        *,
        resolve: Resolve = resolve,
        verify: ssl.SSLContext | bool = True,
        size_limit: int = SIZE_LIMIT,
        time_limit_seconds: float = TIME_LIMIT_SECONDS,
    ) -> None:
        self._size_limit, self._time_limit = size_limit, time_limit_seconds
        # Not the base class's pool: it takes no backend. `trust_env` is off, so no proxy is ever used.
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpx2.create_ssl_context(verify=verify, trust_env=False),
            network_backend=_PinnedBackend(resolve),
            keepalive_expiry=30,
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        _check_target(request.url)
        caps = _Caps(self._size_limit, self._time_limit)
        caps.shorten(request)
        response = super().handle_request(request)
        if response.status_code in REDIRECTS:
            response.close()
            raise OutboundLimit("The address answers with a redirect.", code="redirect_refused")
        if isinstance(response.stream, httpx2.SyncByteStream):
            response.stream = _CappedStream(response.stream, caps)
        return response


class AsyncPublicAddressTransport(httpx2.AsyncHTTPTransport):
    """`PublicAddressTransport` for an event loop."""

    def __init__(
        self,
        *,
        resolve: ResolveAsync = resolve_async,
        verify: ssl.SSLContext | bool = True,
        size_limit: int = SIZE_LIMIT,
        time_limit_seconds: float = TIME_LIMIT_SECONDS,
        connections: int = 1000,
    ) -> None:
        self._size_limit, self._time_limit = size_limit, time_limit_seconds
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpx2.create_ssl_context(verify=verify, trust_env=False),
            network_backend=_AsyncPinnedBackend(resolve),
            max_connections=connections,
            keepalive_expiry=30,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        _check_target(request.url)
        caps = _Caps(self._size_limit, self._time_limit)
        caps.shorten(request)
        response = await super().handle_async_request(request)
        if response.status_code in REDIRECTS:
            await response.aclose()
            raise OutboundLimit("The address answers with a redirect.", code="redirect_refused")
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _AsyncCappedStream(response.stream, caps)
        return response


def public_address_transport(**options: Any) -> PublicAddressTransport:
    """A transport for `httpx2.Client`. Give the client `trust_env=False`: a proxy would bypass this."""
    return PublicAddressTransport(**options)


def async_public_address_transport(**options: Any) -> AsyncPublicAddressTransport:
    """A transport for an `httpx2.AsyncClient`; the same trap as `public_address_transport`."""
    return AsyncPublicAddressTransport(**options)


def public_client(*, timeout: float = 30.0, **options: Any) -> httpx2.Client:
    """A client over that transport: no proxies, no redirects. `timeout` in seconds for each step."""
    transport = public_address_transport(**options)
    return httpx2.Client(transport=transport, trust_env=False, follow_redirects=False, timeout=timeout)


def async_public_client(*, timeout: float = 30.0, **options: Any) -> httpx2.AsyncClient:
    """`public_client` for an event loop."""
    transport = async_public_address_transport(**options)
    return httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False, timeout=timeout)
