"""Many streams at once: when the first piece comes, and whether each comes whole."""

import asyncio
import time
from dataclasses import dataclass

CONNECT_AT_ONCE = 100
LONGEST_SECONDS = 60.0


@dataclass(frozen=True)
class Streamed:
    """Milliseconds to the first piece of each stream that came whole, sorted; how many did not."""

    first_pieces: list[float]
    dropped: int

    def percentile(self, share: float) -> float:
        """The time to the first piece that this share stays within."""
        if not self.first_pieces:
            return float("nan")
        return self.first_pieces[min(len(self.first_pieces) - 1, int(share * len(self.first_pieces)))]


def post(path: str, body: bytes, token: str) -> bytes:
    """A POST with a JSON body as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def stream_all(port: int, request: bytes, *, streams: int, pieces: int) -> Streamed:
    """Open `streams` connections, then ask on all within a second; each must bring `pieces` pieces."""
    return asyncio.run(_stream_all(port, request, streams, pieces))


async def _stream_all(port: int, request: bytes, streams: int, pieces: int) -> Streamed:
    gate = asyncio.Semaphore(CONNECT_AT_ONCE)
    connections = await asyncio.gather(*(_connect(port, gate) for _ in range(streams)))
    work = [
        _stream(connection, request, pieces, wait=number / streams)
        for number, connection in enumerate(connections)
    ]
    times = await asyncio.gather(*work)
    return Streamed(sorted(each for each in times if each is not None), sum(each is None for each in times))


async def _connect(port: int, gate: asyncio.Semaphore) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with gate:
        return await asyncio.open_connection("127.0.0.1", port)


async def _stream(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes, pieces: int, *, wait: float
) -> float | None:
    reader, writer = connection
    await asyncio.sleep(wait)
    began = time.perf_counter()
    writer.write(request)
    first, seen, tail = 0.0, 0, b""
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            while b"[DONE]" not in tail:
                data = await reader.read(65536)
                if not data:
                    return None
                if not first and b'"content":" word' in data:
                    first = (time.perf_counter() - began) * 1000
                seen += data.count(b'"content":" word')
                tail = (tail + data)[-64:]
    except (TimeoutError, OSError):
        return None
    finally:
        writer.close()
    return first if seen == pieces else None
