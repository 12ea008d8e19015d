"""A local server that speaks Anthropic's Messages API. What it does is chosen by the model that is asked for.

`claude-echo` answers with the last user text · `claude-tools` calls the first tool twice after a word ·
`claude-answer` (and `claude-3-answer`) fills the schema it was given, natively or by our tool ·
`claude-thinks` thinks aloud first · `claude-refuses` refuses · `claude-cut` ends at the limit · the rest
fail: `claude-overloaded` 529, `claude-limited` 429, `claude-unauthorized` 401 that repeats the key,
`claude-poor` 402, `claude-missing` 404, `claude-silent` no end of the stream, `claude-error-in-stream`,
`claude-html`, `claude-hang`.
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pytest_django import Settings

from tests.fake_batches import AnthropicRoutes, FakeBatches

USAGE = {
    "input_tokens": 9,
    "output_tokens": 5,
    "cache_read_input_tokens": 3,
    "cache_creation_input_tokens": 2,
}
FAILURES = {
    "overloaded": (529, "overloaded_error", "Overloaded"),
    "limited": (429, "rate_limit_error", "Slow down."),
    "unauthorized": (401, "authentication_error", "invalid x-api-key {key}"),
    "poor": (402, "billing_error", "Your credit balance is too low."),
    "missing": (404, "not_found_error", "model: claude-missing"),
    "bad": (400, "invalid_request_error", "`temperature` is deprecated for this model."),
}
Block = dict[str, Any]


@dataclass
class FakeAnthropic:
    """The running server: its address, and what it was asked."""

    server: ThreadingHTTPServer
    requests: list[dict[str, Any]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    batches: FakeBatches = field(default_factory=FakeBatches)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"

    @property
    def base_url(self) -> str:
        return f"http://{self.host}"

    def headers(self) -> dict[str, str]:
        """Headers of the last request, names in lower case."""
        headers: dict[str, str] = self.requests[-1]["headers"]
        return headers

    def body(self) -> dict[str, Any]:
        """Body of the last request."""
        body: dict[str, Any] = self.requests[-1]["body"]
        return body


@pytest.fixture
def fake_anthropic(settings: Settings) -> Iterator[FakeAnthropic]:
    """A server of its own for each test, allowed as the operator would allow a local one."""
    fake = start()
    settings.OUTBOUND_ALLOWED_HOSTS = [fake.host]
    yield fake
    stop(fake)


def start() -> FakeAnthropic:
    """Start a server on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.block_on_close = False
    fake = FakeAnthropic(server)
    server.fake = fake  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return fake


def stop(fake: FakeAnthropic) -> None:
    """Stop a server and let those that hang go."""
    fake.closing.set()
    fake.server.shutdown()
    fake.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def fake(self) -> FakeAnthropic:
        return self.server.fake  # type: ignore[attr-defined, no-any-return]

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def _note(self, body: dict[str, Any]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.fake.requests.append({"path": self.path, "headers": headers, "body": body})

    def do_DELETE(self) -> None:
        AnthropicRoutes(self, self.fake.batches, self._send).serve("DELETE", b"")

    def do_GET(self) -> None:
        if AnthropicRoutes(self, self.fake.batches, self._send).serve("GET", b""):
            return
        self._note({})
        listed = [_listed("claude-echo", "active"), _listed("claude-old", "retired")]
        self._json(200, {"data": listed, "has_more": False, "first_id": None, "last_id": None})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if AnthropicRoutes(self, self.fake.batches, self._send).serve("POST", raw):
            return
        body = json.loads(raw)
        self._note(body)
        kind = body["model"].removeprefix("claude-").removeprefix("3-")
        if kind in FAILURES:
            self._fail(*FAILURES[kind])
        elif kind == "html":
            self._send(200, b"<h1>Welcome</h1>", "text/html")
        elif kind == "hang":
            self.fake.closing.wait(30)
            self.close_connection = True
        else:
            self._answer(body, kind)

    def _fail(self, status: int, kind: str, message: str) -> None:
        key = self.headers.get("Authorization", "").partition(" ")[2]
        told = {"type": kind, "message": message.format(key=key)}
        extra = {"retry-after": "7"} if status == 429 else {}
        self._json(status, {"type": "error", "error": told, "request_id": "req_up"}, **extra)

    def _answer(self, body: dict[str, Any], kind: str) -> None:
        blocks, reason = _blocks(body, kind)
        if not body.get("stream"):
            message = {**_message(body["model"]), "content": blocks, "stop_reason": reason, "usage": USAGE}
            self._json(200, message)
            return
        events = [_event("message_start", message=_message(body["model"]))]
        for index, block in enumerate(blocks):
            events += _block_events(index, block)
        if kind == "error-in-stream":
            error = {"type": "overloaded_error", "message": "Overloaded"}
            events.append(_event("error", error=error))
        elif kind != "silent":
            delta = {"stop_reason": reason, "stop_sequence": None}
            events += [
                _event("message_delta", delta=delta, usage={"output_tokens": 5}),
                _event("message_stop"),
            ]
        self._send(200, b"".join(events), "text/event-stream")

    def _json(self, status: int, body: dict[str, Any], **headers: str) -> None:
        self._send(status, json.dumps(body).encode(), "application/json", **headers)

    def _send(self, status: int, payload: bytes, content_type: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": content_type, "request-id": "req_up", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


def _blocks(body: dict[str, Any], kind: str) -> tuple[list[Block], str]:
    text = next((block["text"] for block in body["messages"][-1]["content"] if block["type"] == "text"), "")
    if kind == "tools":
        name = body["tools"][0]["name"]
        calls = [
            {"type": "tool_use", "id": f"toolu_{place}", "name": name, "input": {"place": place}}
            for place in ("Oslo", "Bergen")
        ]
        return [{"type": "text", "text": "Looking."}, *calls], "tool_use"
    if kind == "answer":
        value = {"mood": "calm"}
        if "output_config" in body:
            return [{"type": "text", "text": json.dumps(value)}], "end_turn"
        wrapped = "answer" in body["tools"][-1]["input_schema"]["properties"]
        given = {"answer": ["calm"]} if wrapped else value
        call = {"type": "tool_use", "id": "toolu_1", "name": body["tools"][-1]["name"], "input": given}
        return [{"type": "text", "text": "Here you are."}, call], "tool_use"
    if kind == "thinks":
        thinking = {"type": "thinking", "thinking": "Let me think.", "signature": "abc"}
        redacted = {"type": "redacted_thinking", "data": "xyz"}
        return [thinking, redacted, {"type": "text", "text": text}], "end_turn"
    return [{"type": "text", "text": text}], {"refuses": "refusal", "cut": "max_tokens"}.get(kind, "end_turn")


def _message(model: str) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": f"{model}-2026",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**USAGE, "output_tokens": 1},
    }


def _block_events(index: int, block: Block) -> list[bytes]:
    kind = block["type"]
    if kind == "text":
        begun, parts = {**block, "text": ""}, [block["text"][:4], block["text"][4:]]
        deltas = [{"type": "text_delta", "text": part} for part in parts]
    elif kind == "tool_use":
        begun, text = {**block, "input": {}}, json.dumps(block["input"])
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in ("", text[:5], text[5:])]
    elif kind == "thinking":
        begun = {**block, "thinking": "", "signature": ""}
        deltas = [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    else:
        begun, deltas = block, []
    return [
        _event("content_block_start", index=index, content_block=begun),
        *(_event("content_block_delta", index=index, delta=delta) for delta in deltas),
        _event("content_block_stop", index=index),
    ]


def _event(kind: str, **values: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **values})}\n\n".encode()


def _listed(model: str, lifecycle: str) -> dict[str, Any]:
    return {
        "id": model,
        "type": "model",
        "display_name": model,
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": lifecycle,
    }
