"""The lean HTTP client against servers of every kind. What becomes of answers is tried in test_wire."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pytest_django import Settings

from apps.core.errors import InvalidRequest
from apps.core.http_calls import READ_BUFFER, Answer, BadAnswer, ConnectionLost, Origin

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


async def request_of(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


async def body_of(answer: Answer) -> bytes:
    parts = []
    while piece := await answer.read_any():
        parts.append(piece)
    return b"".join(parts)


def with_origin(
    settings: Settings, serve: Serve, use: Callable[[Origin], Awaitable[Any]], headers: dict[str, str]
) -> Any:
    async def serving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    async def run() -> Any:
        server = await asyncio.start_server(serving, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        settings.OUTBOUND_ALLOWED_HOSTS = [f"127.0.0.1:{port}"]
        origin = Origin(f"http://127.0.0.1:{port}/v1", headers)
        try:
            async with asyncio.timeout(10):
                return await use(origin)
        finally:
            origin.close()
            server.close()
            for _ in range(20):  # both ends learn that it is over
                await asyncio.sleep(0)

    return asyncio.run(run())


def asked(settings: Settings, *answers: bytes, then_close: bool = False) -> Any:
    """What comes of two calls to a server that answers each with these bytes."""
    served: list[bytes] = []
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        while True:
            served.append(await request_of(reader))
            for each in answers:
                writer.write(each)
                await writer.drain()
            if then_close:
                break

    async def use(origin: Origin) -> Any:
        found = []
        for number in range(2):
            answer = await origin.post("/x", b"%d" % number, {"X-Call": str(number)})
            found.append((answer.status, await body_of(answer)))
        return found, len(connections), served

    return with_origin(settings, serve, use, {"Authorization": "Bearer k"})


def test_post__two_calls__share_a_connection_and_carry_their_headers(settings: Settings) -> None:
    found, connections, served = asked(settings, HELLO)
    assert found == [(200, b"hello"), (200, b"hello")]
    assert connections == 1
    assert served[1].startswith(b"POST /v1/x HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"Authorization: Bearer k\r\n" in served[1]
    assert b"X-Call: 1\r\n" in served[1]
    assert served[1].endswith(b"\r\n\r\n1")


@pytest.mark.parametrize(
    "answers",
    [
        (b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n", HELLO),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n", b"3\r\nllo\r\n0\r\n\r\n"),
        (HELLO[:10], HELLO[10:30], HELLO[30:]),
    ],
    ids=["interim", "chunked", "in pieces"],
)
def test_post__any_framing__is_read_whole(settings: Settings, answers: tuple[bytes, ...]) -> None:
    found, connections, _ = asked(settings, *answers)
    assert found == [(200, b"hello"), (200, b"hello")]
    assert connections == 1


def test_post__body_that_ends_with_the_connection__is_whole(settings: Settings) -> None:
    found, connections, _ = asked(
        settings, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", then_close=True
    )
    assert found == [(200, b"hello"), (200, b"hello")]
    assert connections == 2


def test_post__answer_that_breaks_off__is_lost(settings: Settings) -> None:
    with pytest.raises(ConnectionLost):
        asked(settings, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", then_close=True)


def test_post__what_is_no_http__is_a_bad_answer(settings: Settings) -> None:
    with pytest.raises(BadAnswer):
        asked(settings, b"SSH-2.0-OpenSSH_9.2\r\n")


def test_post__line_break_in_a_header__is_refused(settings: Settings) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("nothing may be sent")

    async def use(origin: Origin) -> Any:
        with pytest.raises(BadAnswer):
            await origin.post("/x", b"", {"X": "a\r\nHost: evil"})
        return None

    with_origin(settings, serve, use, {})


def test_post__bytes_after_the_answer__drop_the_connection(settings: Settings) -> None:
    found, connections, _ = asked(settings, HELLO + b"HTTP/1.1 200 OK\r\n")
    assert found == [(200, b"hello"), (200, b"hello")]
    assert connections == 2


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
PACKED = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"hello")


@pytest.mark.parametrize(
    ("beginning", "more"),
    [(CHUNKED, b"X: " + b"x" * READ_BUFFER), (CHUNKED, b"X: x\r\n" * 10_000), (PACKED, b"x" * READ_BUFFER)],
    ids=["one line behind the body", "lines behind the body", "bytes behind what is packed"],
)
def test_read_any__answer_that_goes_on_behind_its_end__is_not_kept(
    settings: Settings, beginning: bytes, more: bytes
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(beginning)
        while not writer.is_closing():
            writer.write(more)
            await writer.drain()

    async def use(origin: Origin) -> Any:
        with pytest.raises(BadAnswer):
            await body_of(await origin.post("/x", b""))

    with_origin(settings, serve, use, {})


def test_post__lines_behind_a_body__are_no_headers_of_the_next_answer(settings: Settings) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(CHUNKED + b"X-Request-Id: first\r\n\r\n")
        await request_of(reader)
        writer.write(HELLO)

    async def use(origin: Origin) -> Any:
        await body_of(await origin.post("/x", b""))
        return (await origin.post("/x", b"")).headers

    assert "x-request-id" not in with_origin(settings, serve, use, {})


def test_read_any__reader_that_is_slow__keeps_the_server_waiting(settings: Settings) -> None:
    size = 64 * READ_BUFFER
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while sent < size:
            writer.write(b"x" * READ_BUFFER)
            await writer.drain()
            sent += READ_BUFFER
        writer.close()

    async def use(origin: Origin) -> Any:
        answer = await origin.post("/x", b"")
        before = -1
        while before != sent:  # until the server gets nothing more off
            before = sent
            for _ in range(200):
                await asyncio.sleep(0)
        held = sent
        return held, len(await body_of(answer))

    held, got = with_origin(settings, serve, use, {})
    assert held < size
    assert got == size


@pytest.mark.parametrize("answers", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], [], ["::ffff:127.0.0.1"]])
def test_post__name_of_a_private_address__is_never_connected(answers: list[str]) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return answers

    async def run() -> None:
        await Origin("https://api.example.com/v1", {}, resolve=resolve).post("/x", b"")

    with pytest.raises(InvalidRequest):
        asyncio.run(run())


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://[::1]/", "http://api.example.com/", "x"])
def test_origin__address_that_may_not_be_called__is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest):
        Origin(url, {})
