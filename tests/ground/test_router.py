import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from promptsaas.asgi_types import Message, Receive, Scope, Send
from promptsaas.router import Router


class Web(BaseHTTPRequestHandler):
    """A web server that tells what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers.get("content-length", "0"))))

    def answer(self, body: bytes) -> None:
        if self.path == "/slow":
            self.send_response(200)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for part in (b"one", b"two"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
            return
        told = {"target": self.path, "body": body.decode(), "headers": self.headers.items()}
        answer = json.dumps(told).encode()
        self.send_response(201)
        self.send_header("content-length", str(len(answer)))
        self.send_header("set-cookie", "a=1")
        self.send_header("set-cookie", "b=2")
        self.send_header("keep-alive", "timeout=5")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments: Any) -> None:
        pass


@dataclass
class Answer:
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(b"".join(self.chunks))
        return found

    def heard(self, name: str) -> list[str]:
        return [value for key, value in self.told["headers"] if key.lower() == name]


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


async def the_gateway(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"gateway"})


def ask(
    upstream: str,
    path: str,
    *,
    method: str = "GET",
    query: bytes = b"",
    raw_path: bytes = b"",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    body: tuple[bytes, ...] = (),
    client: str = "203.0.113.9",
    trusted: tuple[str, ...] = (),
) -> Answer:
    answer = Answer()
    parts = list(body)

    async def receive() -> Message:
        part = parts.pop(0) if parts else b""
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status, answer.headers = message["status"], list(message["headers"])
        elif message.get("body"):
            answer.chunks.append(message["body"])

    async def go() -> None:
        router = Router(the_gateway, upstream, trusted)
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": raw_path or path.encode(),
            "query_string": query,
            "headers": [(b"host", b"prompts.example.com"), *headers],
            "scheme": "http",
            "client": (client, 5555),
        }
        await router(scope, receive, send)
        await router.close()

    asyncio.run(go())
    return answer


def test_router__gateways_path__stays_here(web: str) -> None:
    assert ask(web, "/v1/chat/completions", method="POST").status == 299


def test_router__other_path__goes_to_web_untouched(web: str) -> None:
    answer = ask(web, "/a b/x/y", raw_path=b"/a%20b/x%2Fy", query=b"q=1&q=%20")
    assert answer.status == 201
    assert answer.told["target"] == "/a%20b/x%2Fy?q=1&q=%20"
    assert answer.heard("host") == ["prompts.example.com"]


def test_router__body__is_passed_on_in_parts(web: str) -> None:
    answer = ask(web, "/upload", method="POST", headers=((b"content-length", b"6"),), body=(b"abc", b"def"))
    assert answer.told["body"] == "abcdef"


def test_router__answer__comes_in_chunks(web: str) -> None:
    answer = ask(web, "/slow")
    assert b"".join(answer.chunks) == b"onetwo"
    assert b"transfer-encoding" not in dict(answer.headers)


def test_router__several_cookies__all_arrive(web: str) -> None:
    cookies = [value for name, value in ask(web, "/").headers if name.lower() == b"set-cookie"]
    assert cookies == [b"a=1", b"b=2"]


def test_router__hop_by_hop_headers__stop_here(web: str) -> None:
    answer = ask(
        web,
        "/",
        headers=(
            (b"connection", b"close, X-Only-Here"),
            (b"x-only-here", b"1"),
            (b"te", b"trailers"),
            (b"upgrade", b"h2c"),
            (b"x-kept", b"1"),
        ),
    )
    assert answer.heard("x-kept") == ["1"]
    assert answer.heard("x-only-here") == answer.heard("te") == answer.heard("upgrade") == []
    assert b"keep-alive" not in {name.lower() for name, _ in answer.headers}


def test_router__stranger_claims_an_address__is_not_believed(web: str) -> None:
    claims = ((b"x-forwarded-for", b"10.0.0.1"), (b"x-forwarded-proto", b"https"), (b"forwarded", b"for=1"))
    answer = ask(web, "/", headers=claims)
    assert answer.heard("x-forwarded-for") == ["203.0.113.9"]
    assert answer.heard("x-forwarded-proto") == ["http"]
    assert answer.heard("forwarded") == []


def test_router__trusted_proxy__is_believed_and_added(web: str) -> None:
    claims = ((b"x-forwarded-for", b"198.51.100.7"), (b"x-forwarded-proto", b"https"))
    answer = ask(web, "/", headers=claims, client="10.1.2.3", trusted=("10.0.0.0/8",))
    assert answer.heard("x-forwarded-for") == ["198.51.100.7, 10.1.2.3"]
    assert answer.heard("x-forwarded-proto") == ["https"]


def test_router__web_is_away__says_so_in_the_one_shape() -> None:
    answer = ask("http://127.0.0.1:9", "/")
    assert answer.status == 503
    assert answer.told["error"]["code"] == "web_unavailable"
    assert (b"retry-after", b"1") in answer.headers
