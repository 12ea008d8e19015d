"""Where Prometheus asks: `GET /metrics` on an address of its own, never on the public one.

The listener lives in a thread of the process that it tells of. Nothing that goes wrong here may harm that
process: a taken port is logged and tried again, a client that dawdles is dropped.
"""

import hmac
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from django.conf import settings
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from apps.core import metrics
from apps.core.logs import get_logger

PATH: Final = "/metrics"
CLIENT_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 5.0

logger = get_logger(__name__)


class _Server(ThreadingHTTPServer):
    """Every worker process of a server may listen on the same address: each can tell the figures of all."""

    daemon_threads = True
    allow_reuse_port = True

    def __init__(self, address: tuple[str, int], answer: "Answer") -> None:
        self.answer = answer
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no event; the standard library would print a traceback."""
        logger.info("metrics.client_failed", extra={"error": repr(sys.exception())})


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = CLIENT_SECONDS
    server_version = "promptsaas"
    sys_version = ""

    def do_GET(self) -> None:
        status, headers, body = self.server.answer(
            self.path, self.headers.get("Accept", ""), self.headers.get("Authorization", "")
        )
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Asked every few seconds by whoever watches: no line for each."""


Told = tuple[int, Sequence[tuple[str, str]], bytes]
Answer = Callable[[str, str, str], Told]


def answer(collectors: Sequence[Collector]) -> Answer:
    """What is answered to a path, an Accept header and an Authorization header; pure but for the figures."""

    def tell(path: str, accept: str, authorization: str) -> Told:
        if path.partition("?")[0] != PATH:
            return 404, (), b"There is nothing at this address.\n"
        if not _may_read(authorization):
            return 401, (("WWW-Authenticate", "Bearer"),), b"Send the METRICS_TOKEN as a bearer token.\n"
        encode, content_type = choose_encoder(accept)
        return 200, (("Content-Type", content_type),), exposition(collectors, encode)

    return tell


def exposition(collectors: Sequence[Collector], encode: Callable[[Any], bytes]) -> bytes:
    """Everything that this server's processes have counted, and what the collectors find now."""
    registry = metrics.counted()
    for collector in collectors:
        registry.register(collector)
    return encode(registry)


def _may_read(authorization: str) -> bool:
    wanted = settings.METRICS_TOKEN
    return not wanted or hmac.compare_digest(authorization.encode(), f"Bearer {wanted}".encode())


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of `host:port`; an IPv6 address stands in brackets. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise ValueError("METRICS_ADDRESS must read host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


class Listener:
    """Listens in a thread until the process ends."""

    def __init__(self, address: tuple[str, int], collectors: Sequence[Collector]) -> None:
        self.address = address
        self._answer = answer(collectors)
        self._server: _Server | None = None

    def start(self) -> None:
        """Begin; a failure to listen is logged and tried again."""
        threading.Thread(target=self._listen_forever, name="metrics", daemon=True).start()

    def forget_in_child(self) -> None:
        """In a forked process: let go of the address, or it would stay taken when the parent is killed."""
        if self._server is not None:
            self._server.socket.close()

    def _listen_forever(self) -> None:
        while True:
            try:
                self._server = _Server(self.address, self._answer)
            except OSError as error:
                logger.warning("metrics.address_is_taken", extra={"error": str(error)})
                time.sleep(RETRY_SECONDS)
            else:
                self._server.serve_forever()
                return
