"""A small closed-loop HTTP/1.1 load generator: keep-alive connections that each ask again and again."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

WARM_UP_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Target:
    """What is asked for. `request` is the whole HTTP request in bytes."""

    host: str
    port: int
    request: bytes


@dataclass(frozen=True)
class Result:
    """What came of it; latencies in milliseconds, sorted."""

    connections: int
    seconds: float
    latencies: list[float]
    failures: int

    @property
    def per_second(self) -> float:
        """Answers with status 200 a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """The latency that this share of the answers stays within."""
        if not self.latencies:
            return float("nan")
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


def post(target_host: str, path: str, body: bytes, token: str) -> bytes:
    """A POST with a JSON body as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {target_host}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get(target_host: str, path: str, token: str) -> bytes:
    """A GET as it goes over the wire."""
    return f"GET {path} HTTP/1.1\r\nHost: {target_host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def measure(target: Target, *, connections: int, seconds: float) -> Result:
    """Ask from so many connections for so long; the warm-up is not counted."""

    async def run() -> Result:
        await _load(target, connections, WARM_UP_SECONDS)
        began = time.perf_counter()
        outcomes = await _load(target, connections, seconds)
        took = time.perf_counter() - began
        latencies = sorted(latency for latency, status in outcomes if status == 200)
        return Result(connections, took, latencies, len(outcomes) - len(latencies))

    return asyncio.run(run())


async def _load(target: Target, connections: int, seconds: float) -> list[tuple[float, int]]:
    until = time.perf_counter() + seconds
    lists = await asyncio.gather(*(_ask(target, until) for _ in range(connections)))
    return [outcome for outcomes in lists for outcome in outcomes]


async def _ask(target: Target, until: float) -> list[tuple[float, int]]:
    reader, writer = await asyncio.open_connection(target.host, target.port)
    outcomes = []
    while (began := time.perf_counter()) < until:
        writer.write(target.request)
        status = await _read_answer(reader)
        outcomes.append(((time.perf_counter() - began) * 1000, status))
    writer.close()
    await writer.wait_closed()
    return outcomes


async def _read_answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, _, rest = head.partition(b"\r\ncontent-length:")
    await reader.readexactly(int(rest.partition(b"\r\n")[0]))
    return int(head[9:12])
