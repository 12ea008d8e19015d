"""The rules of `outbound` for aiohttp, which the path of a run uses: one session calls one origin.

aiohttp asks no resolver for a host that is an address already, so every address is checked twice: names when
they are resolved, and whatever a socket is opened for, at the socket.
"""

import socket
import ssl
from functools import lru_cache
from typing import Any, Final

import aiohttp
import httpx2
from aiohttp.abc import AbstractResolver, ResolveResult

from apps.core import outbound
from apps.core.outbound import OutboundRefused, ResolveAsync

KEEP_ALIVE_SECONDS: Final = 30.0
CONNECTIONS: Final = 1000
READ_BUFFER: Final = 64 * 1024
"""Bytes that may wait for a slow reader; past twice as many the socket is no longer read."""


class _CheckedResolver(AbstractResolver):
    """Names only; one bad address condemns the whole answer."""

    def __init__(self, resolve: ResolveAsync) -> None:
        self._resolve = resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = outbound.checked_addresses(host, port, await self._resolve(host, port))
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is held open."""


class _CheckedSockets:
    """Opens sockets to public addresses, and to any address of an origin that the operator has allowed."""

    def __init__(self, origin: httpx2.URL) -> None:
        self._allowed = outbound.is_allowed_origin(origin)

    def __call__(self, address: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, target = address
        if not self._allowed and not (outbound.is_public_address(target[0]) and target[1] == outbound.PORT):
            raise OutboundRefused("This address is not on the public internet.")
        opened = socket.socket(family, kind, protocol)
        opened.setblocking(False)
        return opened


def open_session(
    base_url: str,
    *,
    headers: dict[str, str],
    resolve: ResolveAsync = outbound.resolve_async,
    verify: ssl.SSLContext | None = None,
) -> aiohttp.ClientSession:
    """A session for calls below `base_url` and for nothing else; call it inside the loop that will use it.

    No proxies, no cookies, no time limit of its own (the caller has one). The caller must pass
    `allow_redirects=False` and bound what it reads. Raises OutboundRefused for an address that may not be
    called.
    """
    origin = httpx2.URL(outbound.check_url(base_url))
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=_CheckedResolver(resolve),
            socket_factory=_CheckedSockets(origin),
            ssl=verify or default_ssl_context(),
            limit=CONNECTIONS,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            happy_eyeballs_delay=None,  # in the order of the checked answer: IPv4 first
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=outbound.CONNECT_SECONDS),
        headers=headers,
        trust_env=False,
        read_bufsize=READ_BUFFER,
    )


@lru_cache(maxsize=1)
def default_ssl_context() -> ssl.SSLContext:
    """The process's own: reading the certificates takes some 20 ms, so ask for it in a thread first."""
    return httpx2.create_ssl_context(verify=True, trust_env=False)
