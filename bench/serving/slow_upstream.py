"""A model server that waits: `python -m bench.serving.slow_upstream PORT DELAY_MS CHUNKS CHUNK_MS`.

It speaks chat completions over HTTP/1.1 as far as clients under test do, streams included, and answers any
POST. A delay of ``0-100`` is one between the two, evenly spread. A GET is answered at once with how many
POSTs there have been. A raw protocol on uvloop, so that the upstream is not what is measured.
"""

import asyncio
import random
import sys
from typing import Final, cast

import orjson
import uvloop

HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
USAGE: Final = {"prompt_tokens": 23, "completion_tokens": 19, "total_tokens": 42}
TEXT: Final = "Hello! This is an answer of a mock, long enough to look like a short answer of a model."
LENGTH: Final = b"content-length:"


def completion() -> bytes:
    """A whole answer with its head."""
    message = {"role": "assistant", "content": TEXT, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    body = orjson.dumps(_head("chat.completion") | {"choices": [choice], "usage": USAGE})
    return HEAD % len(body) + body


def events(chunks: int) -> list[bytes]:
    """A streamed answer as chunks of HTTP, the last with the end of the body."""
    deltas = [{"role": "assistant", "content": ""}, *({"content": f" word{n}"} for n in range(chunks))]
    told = [
        _head("chat.completion.chunk") | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in deltas
    ]
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    told += [
        _head("chat.completion.chunk") | last,
        _head("chat.completion.chunk") | {"choices": [], "usage": USAGE},
    ]
    sent = [_chunk(b"data: " + orjson.dumps(each) + b"\n\n") for each in told]
    return [*sent, _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"]


def _head(kind: str) -> dict[str, object]:
    return {"id": "chatcmpl-mock0001", "object": kind, "created": 1_700_000_000, "model": "gpt-4o-mini"}


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Asked:
    """How many POSTs came in."""

    count = 0


class Upstream(asyncio.Protocol):
    """One connection."""

    def __init__(self, delay: tuple[float, float], streamed: list[bytes], pause: float) -> None:
        self._delay, self._streamed, self._pause = delay, streamed, pause
        self._whole = completion()
        self._buffer = b""
        self._streams: set[asyncio.Task[None]] = set()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        for stream in self._streams:
            stream.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._buffer.startswith(b"GET "):
            self._buffer = b""
            told = b"%d" % Asked.count
            self._transport.write(HEAD % len(told) + told)
        while (body := self._next_body()) is not None:
            Asked.count += 1
            if b'"stream":true' in body or b'"stream": true' in body:
                stream = asyncio.get_running_loop().create_task(self._stream())
                self._streams.add(stream)
                stream.add_done_callback(self._streams.discard)
            elif self._delay[1]:
                asyncio.get_running_loop().call_later(self._seconds(), self._answer)
            else:
                self._answer()

    def _next_body(self) -> bytes | None:
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return None
        _, _, after = head.lower().partition(LENGTH)
        length = int(after.partition(b"\r\n")[0] or 0)
        if len(rest) < length:
            return None
        self._buffer = rest[length:]
        return rest[:length]

    def _seconds(self) -> float:
        return random.uniform(*self._delay)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._whole)

    async def _stream(self) -> None:
        await asyncio.sleep(self._seconds())
        self._transport.write(STREAM_HEAD)
        for event in self._streamed:
            if self._transport.is_closing():
                return
            self._transport.write(event)
            if self._pause:
                await asyncio.sleep(self._pause)


async def serve(port: int, delay_ms: str, chunks: int, chunk_ms: float) -> None:
    """Serve until the process ends."""
    streamed = events(chunks)
    least, _, most = delay_ms.partition("-")
    delay = float(least) / 1000, float(most or least) / 1000
    server = await asyncio.get_running_loop().create_server(
        lambda: Upstream(delay, streamed, chunk_ms / 1000), "127.0.0.1", port, backlog=4096
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
