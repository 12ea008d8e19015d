"""A provider that misbehaves in the way that its address names, and remembers when it was asked for what.

`/limited/…` answers 429 with Retry-After once for each question, then well · `/burst/…` 500 as long as
`bursting` is set · `/hang/…` never answers · `/half/…` closes its side in the middle · `/truncated/…` JSON
that breaks off · `/html/…` no JSON at all · `/huge/…` ten megabytes · `/good/…` answers.
"""

import asyncio
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

HUGE: Final = 10 * 1024 * 1024
JSON: Final = "application/json"
# The header that tells how long to wait, by the seconds that a question asks for.
WAITS: Final = ("retry-after: {seconds}", "retry-after-ms: {milliseconds}")


@dataclass
class FaultyUpstream:
    """The running server. `asked` are the times of each question's calls, by the monotonic clock."""

    bursting: bool = False
    asked: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    calls: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests."""
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                body = orjson.loads(await reader.readexactly(length))
                fault = head.split(b"/")[1].decode()
                question = str(body["messages"][-1]["content"])
                now = time.monotonic()
                self.asked[question].append(now)
                self.calls[fault].append(now)
                await getattr(self, f"_{fault}")(question, body, writer)
        writer.close()

    async def _good(self, question: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        await _send(writer, 200, _completion(question))

    async def _limited(self, question: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if len(self.asked[question]) > 1:
            await self._good(question, body, writer)
            return
        seconds = float(question.split()[1])
        header = WAITS[int(question.split()[2]) % len(WAITS)]
        told = header.format(seconds=round(seconds), milliseconds=round(seconds * 1000))
        await _send(writer, 429, b'{"error": {"message": "Slow down."}}', told)

    async def _burst(self, question: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if self.bursting:
            await _send(writer, 500, b'{"error": {"message": "Out of order."}}')
        else:
            await self._good(question, body, writer)

    async def _hang(self, question: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(600)

    async def _half(self, question: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if body.get("stream"):
            chunk = {"choices": [{"delta": {"content": "half"}, "finish_reason": None}]}
            payload = b"data: " + orjson.dumps(chunk) + b"\n\n"
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        else:
            payload, head = b'{"choices": [', b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
        writer.write(head + payload)
        writer.write_eof()
        await asyncio.sleep(600)

    async def _truncated(self, question: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        await _send(writer, 200, _completion(question)[:-20])

    async def _html(self, question: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        await _send(writer, 200, b"<h1>Welcome</h1>", kind="text/html")

    async def _huge(self, question: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        await _send(writer, 200, _completion("x" * HUGE))


def _completion(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    choices = [{"index": 0, "finish_reason": "stop", "message": message}]
    usage = {"prompt_tokens": 5, "completion_tokens": 5}
    return orjson.dumps({"id": "c", "model": "m", "choices": choices, "usage": usage})


async def _send(
    writer: asyncio.StreamWriter, status: int, body: bytes, header: str = "x-y: z", kind: str = JSON
) -> None:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{header}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
