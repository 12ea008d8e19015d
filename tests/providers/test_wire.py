"""The wire against servers that misbehave: every answer ends, in a clear error or in time."""

import asyncio
import gzip
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from pytest_django import Settings

from apps.providers.event_stream import LONGEST_EVENT, EventReader, EventTooLarge
from apps.providers.openai_compatible import OpenAICompatibleProvider
from apps.providers.types import (
    ChatDelta,
    ChatRequest,
    ChatResult,
    Connection,
    EmbeddingRequest,
    ProviderCallError,
)

ASKED = ChatRequest("m", ({"role": "user", "content": "hi"},), timeout_seconds=1.0)
ANSWER = {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}], "model": "m"}
JSON = b"Content-Type: application/json\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes, headers: bytes = JSON, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, headers, len(body), body)


def sse(*chunks: object) -> bytes:
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)


def piece(text: str, finish: str | None = None) -> dict[str, object]:
    return {"choices": [{"delta": {"content": text}, "finish_reason": finish}]}


async def _asked(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


@asynccontextmanager
async def provider_of(serve: Serve, settings: Settings) -> AsyncIterator[OpenAICompatibleProvider]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings.OUTBOUND_ALLOWED_HOSTS = [f"127.0.0.1:{port}"]
    provider = OpenAICompatibleProvider(Connection("l", f"http://127.0.0.1:{port}/v1", "k" * 20))
    try:
        yield provider
    finally:
        await provider.close()
        server.close()


def complete(settings: Settings, payload: bytes, *, then_hang: bool = False) -> ChatResult:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _asked(reader)
        writer.write(payload)
        if then_hang:
            await reader.read()
        writer.close()

    async def run() -> ChatResult:
        async with provider_of(serve, settings) as provider:
            return await provider.complete(ASKED)

    return asyncio.run(run())


def failure(settings: Settings, payload: bytes, *, then_hang: bool = False) -> ProviderCallError:
    with pytest.raises(ProviderCallError) as caught:
        complete(settings, payload, then_hang=then_hang)
    return caught.value


def stream(settings: Settings, payload: bytes) -> list[ChatDelta | ChatResult]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _asked(reader)
        writer.write(payload)
        writer.close()

    async def run() -> list[ChatDelta | ChatResult]:
        async with provider_of(serve, settings) as provider:
            return [item async for item in provider.stream(ASKED)]

    return asyncio.run(run())


@pytest.mark.parametrize(
    "body",
    [b'{"choices": [{"mess', b"", b"null", b"[]", b"{}", b'{"choices": 5}', b'{"choices": [[]]}', b'"text"',
     b'{"choices": [{"message": null}]}', b'{"choices": [{"message": {"content": {"a": 1}}}]}',
     b'{"choices": [{"message": {"content": "x", "tool_calls": [7]}}]}', b"[" * 200_000, b"\xff\xfe{"],
)  # fmt: skip
def test_complete__answer_of_any_other_form__is_not_understood(settings: Settings, body: bytes) -> None:
    error = failure(settings, answer(body))
    assert (error.reason, error.retryable) == ("server", False)
    assert "not a chat completion" in error.message


def test_complete__parts_of_text__are_joined_without_thoughts(settings: Settings) -> None:
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hel"}, {"text": "lo"}]
    body = {"choices": [{"message": {"content": parts}, "finish_reason": "stop"}]}
    assert complete(settings, answer(json.dumps(body).encode())).text == "Hello"


@pytest.mark.parametrize("headers", [JSON, b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n"])
def test_complete__ten_megabytes__end_in_an_error(settings: Settings, headers: bytes) -> None:
    body = json.dumps({**ANSWER, "padding": "x" * 10 * 1024 * 1024}).encode()
    sent = gzip.compress(body) if b"gzip" in headers else body
    error = failure(settings, answer(sent, headers))
    assert (error.reason, error.retryable) == ("connection", False)
    assert "larger than 8 MiB" in error.message


def test_complete__body_without_end__is_bounded_and_hung_up_on(settings: Settings) -> None:
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _asked(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n" + JSON + b"Connection: close\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        except OSError:
            closed.set()

    async def run() -> None:
        async with provider_of(serve, settings) as provider:
            with pytest.raises(ProviderCallError, match="larger than"):
                await provider.complete(ASKED)
            await asyncio.wait_for(closed.wait(), 2)

    asyncio.run(run())


def test_complete__gzip_answer_in_small_pieces__is_unpacked(settings: Settings) -> None:
    packed = gzip.compress(json.dumps(ANSWER | {"padding": "x" * 200_000}).encode())
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _asked(reader)
        writer.write(head)
        for start in range(0, len(packed), 50):
            writer.write(packed[start : start + 50])
            await writer.drain()
            await asyncio.sleep(0.001)
        writer.close()

    async def run() -> ChatResult:
        async with provider_of(serve, settings) as provider:
            return await provider.complete(ASKED)

    assert asyncio.run(run()).text == "Hello"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"a" * 99_999,
    ],
)
def test_complete__broken_http__is_a_retryable_connection_failure(settings: Settings, payload: bytes) -> None:
    error = failure(settings, payload)
    assert (error.reason, error.retryable) == ("connection", True)


def test_complete__headers_and_then_nothing__ends_in_time(settings: Settings) -> None:
    began = time.monotonic()
    error = failure(settings, b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{", then_hang=True)
    assert (error.reason, error.retryable) == ("timeout", True)
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        (b"Retry-After: 7", 7, 7),
        (b"retry-after-ms: 1500\r\nRetry-After: 7", 1.5, 1.5),
        (b"Retry-After: Fri, 31 Dec 2100 23:59:59 GMT", 86_400, 86_400),
        (b"Retry-After: Mon, 01 Jan 2001 00:00:00 GMT", 0, 0),
        (b"Retry-After: 1e9", 86_400, 86_400),
    ],
)
def test_complete__told_to_wait__is_known_in_seconds(
    settings: Settings, header: bytes, least: float, most: float
) -> None:
    error = failure(settings, answer(b"{}", JSON + header + b"\r\n", b"429 Too Many Requests"))
    assert error.retry_after is not None
    assert least <= error.retry_after <= most


@pytest.mark.parametrize("header", [b"Retry-After: nan", b"Retry-After: -5", b"Retry-After: soon", b"X: y"])
def test_complete__not_told_how_long__is_unknown(settings: Settings, header: bytes) -> None:
    error = failure(settings, answer(b"{}", JSON + header + b"\r\n", b"429 Too Many Requests"))
    assert error.retry_after is None


def test_complete__two_calls__share_one_connection(settings: Settings) -> None:
    opened: list[object] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        for _ in range(2):
            await _asked(reader)
            writer.write(answer(json.dumps(ANSWER).encode(), JSON + b"Set-Cookie: a=b\r\n"))
        writer.close()

    async def run() -> None:
        async with provider_of(serve, settings) as provider:
            await provider.complete(ASKED)
            await provider.complete(ASKED)

    asyncio.run(run())
    assert len(opened) == 1


def test_stream__utf8_cut_anywhere_and_crlf__comes_whole(settings: Settings) -> None:
    said = sse(piece("Grüße "), piece("你好", "stop")).replace(b"\n", b"\r\n")
    body = b": ping\r\n\r\nevent: x\r\n" + said + b"data: [DONE]\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _asked(reader)
        writer.write(EVENTS)
        for start in range(0, len(body), 7):
            writer.write(body[start : start + 7])
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()

    async def run() -> list[ChatDelta | ChatResult]:
        async with provider_of(serve, settings) as provider:
            return [item async for item in provider.stream(ASKED)]

    items = asyncio.run(run())
    assert isinstance(items[-1], ChatResult)
    assert items[-1].text == "Grüße 你好"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (answer(json.dumps(ANSWER).encode()), "server"),
        (EVENTS + b"data: {broken\n\n", "server"),
        (EVENTS + b"data: [1, 2]\n\n", "server"),
        (EVENTS + b"data: " + b"x" * (LONGEST_EVENT + 70_000), "connection"),
        (EVENTS + sse(piece("half")), "connection"),
        (EVENTS + sse({"error": {"type": "rate_limit_error", "message": "Slow down."}}), "rate_limited"),
    ],
)
def test_stream__misbehaves__is_a_clear_failure(settings: Settings, payload: bytes, reason: str) -> None:
    with pytest.raises(ProviderCallError) as caught:
        stream(settings, payload)
    assert caught.value.reason == reason


def test_stream__reader_that_waits__stops_the_provider_and_closing_hangs_up(settings: Settings) -> None:
    written = 0
    hung_up = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
        await _asked(reader)
        writer.write(EVENTS)
        try:
            while True:
                writer.write(sse(piece("x" * 20_000)))
                await writer.drain()
                written += 20_000
        except OSError:
            hung_up.set()

    async def run() -> None:
        async with provider_of(serve, settings) as provider:
            items = provider.stream(ASKED)
            await anext(aiter(items))
            await asyncio.sleep(0.2)
            assert written < 16_000_000  # what the kernel holds, not what a loopback carries
            await items.aclose()  # type: ignore[attr-defined]
            await asyncio.wait_for(hung_up.wait(), 2)

    asyncio.run(run())


def test_event_reader__pieces_without_a_line_end__are_bounded() -> None:
    reader = EventReader()
    for _ in range(LONGEST_EVENT // 1024):
        reader.feed(b"x" * 1024)
    with pytest.raises(EventTooLarge):
        reader.feed(b"x")


def test_embed__vectors__come_in_the_order_of_the_texts(settings: Settings) -> None:
    rows = [{"index": 1, "embedding": [0.5]}, {"index": 0, "embedding": [1]}]
    body = json.dumps({"data": rows, "model": "e-1", "usage": {"prompt_tokens": 4}}).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await _asked(reader)
        assert b"POST /v1/embeddings" in asked
        writer.write(answer(body))
        writer.close()

    async def run() -> None:
        async with provider_of(serve, settings) as provider:
            found = await provider.embed(EmbeddingRequest("e", ("a", "b"), timeout_seconds=2))
            assert (found.vectors, found.model, found.usage.input_tokens) == ([[1.0], [0.5]], "e-1", 4)
            with pytest.raises(ProviderCallError):
                await provider.embed(EmbeddingRequest("e", ("a", "b", "c"), timeout_seconds=2))

    asyncio.run(run())


@pytest.mark.parametrize("number", [1e300, -1e39])
def test_embed__numbers_that_four_bytes_do_not_hold__are_not_understood(
    settings: Settings, number: float
) -> None:
    body = json.dumps({"data": [{"index": 0, "embedding": [0.5, number]}]}).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _asked(reader)
        writer.write(answer(body))
        writer.close()

    async def run() -> None:
        async with provider_of(serve, settings) as provider:
            with pytest.raises(ProviderCallError):
                await provider.embed(EmbeddingRequest("e", ("a",), timeout_seconds=2))

    asyncio.run(run())
