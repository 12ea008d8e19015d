"""The command lines of the two HTTP servers: one place for Granian's options."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Address:
    """Where a server listens."""

    host: str
    port: int


def web_command(address: Address, *, workers: int, threads: int) -> list[str]:
    """Django under Granian's WSGI server: `threads` requests at a time in each worker."""
    return [
        *_granian("wsgi", "promptsaas.wsgi:application", address, workers),
        f"--blocking-threads={threads}",
        # A thread keeps its database connection: let idle threads live as long as CONN_MAX_AGE.
        "--blocking-threads-idle-timeout=60",
    ]


def gateway_command(address: Address, *, workers: int) -> list[str]:
    """The serving plane under Granian's ASGI server."""
    return [
        *_granian("asgi", "promptsaas.asgi_gateway:application", address, workers),
        "--loop=uvloop",
        "--no-ws",
        # More than a process runs at once: what is too much is answered with 503 instead of left waiting.
        "--backpressure=4096",
    ]


def _granian(interface: str, target: str, address: Address, workers: int) -> Sequence[str]:
    return [
        sys.executable,
        "-m",
        "granian",
        target,
        f"--interface={interface}",
        f"--host={address.host}",
        f"--port={address.port}",
        f"--workers={workers}",
        "--http=1",
        "--backlog=2048",
        "--workers-kill-timeout=10",
        "--respawn-failed-workers",
        "--log-level=warning",
    ]
