"""A local OpenAI-compatible server over HTTP. What it does is chosen by the model that is asked for.

`echo` answers with the last message · `late` does so after 150 ms · `flaky-<n>` fails n times with 500
first, `limited-<n>` n times with 429 and retry-after-ms 50 · `rate-limited` 429 with Retry-After 7 ·
`no-quota` 429 insufficient_quota · `unauthorized` 401 that repeats the key · `bad-request` 400 · `filtered`
400 content_filter · `broken` 500 · `hang` never answers, `hang-once` the first time · `truncated` breaks
off · `silent` ends a stream without finish reason · `html` is no JSON · `moved` redirects · `no-usage` ·
`schema` answers with the JSON of the requested schema's name · `mends` does so once it was told what was
wrong · `relapses` refuses then · `huge` answers with 2 MiB · `error-in-stream` ·
`tools` calls the first tool twice · `slow…` sends a word every 50 ms until the client hangs up.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pytest_django import Settings

from tests.fake_batches import FakeBatches, OpenAIRoutes

MODELS = ("echo", "schema")
WORDS_USAGE = {"prompt_tokens": 11, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 3}}


@dataclass
class FakeProvider:
    """The running server: its address, and what it was asked."""

    server: ThreadingHTTPServer
    requests: list[dict[str, Any]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    closing: threading.Event = field(default_factory=threading.Event)
    hung_up: Counter[str] = field(default_factory=Counter)
    batches: FakeBatches = field(default_factory=FakeBatches)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"

    @property
    def base_url(self) -> str:
        return f"http://{self.host}/v1"

    def headers(self) -> dict[str, str]:
        """Headers of the last request, names in lower case."""
        headers: dict[str, str] = self.requests[-1]["headers"]
        return headers

    def body(self) -> dict[str, Any]:
        """Body of the last request."""
        body: dict[str, Any] = self.requests[-1]["body"]
        return body


@pytest.fixture
def fake_provider(settings: Settings) -> Iterator[FakeProvider]:
    """A server of its own for each test, allowed as the operator would allow a local model server."""
    provider = start()
    settings.OUTBOUND_ALLOWED_HOSTS = [provider.host]
    yield provider
    stop(provider)


def start() -> FakeProvider:
    """Start a server on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.block_on_close = False
    provider = FakeProvider(server)
    server.provider = provider  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return provider


def stop(provider: FakeProvider) -> None:
    """Stop a server and let those that hang go."""
    provider.closing.set()
    provider.server.shutdown()
    provider.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def provider(self) -> FakeProvider:
        return self.server.provider  # type: ignore[attr-defined, no-any-return]

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        if OpenAIRoutes(self, self.provider.batches, self._send).serve("GET", b""):
            return
        self._note({})
        if self.path == "/v1/models":
            self._json({"object": "list", "data": [{"id": model, "object": "model"} for model in MODELS]})
        else:
            self._error(404, "There is nothing here.")

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if OpenAIRoutes(self, self.provider.batches, self._send).serve("POST", raw):
            return
        body = json.loads(raw)
        self._note(body)
        model = str(body.get("model"))
        self.provider.calls[model] += 1
        kind = (
            model.partition("-")[0] if model.startswith(("flaky-", "limited-")) else model.replace("-", "_")
        )
        kind = "slow" if model.startswith("slow") else kind
        act = getattr(self, f"_do_{kind}", None)
        if act is not None:
            act(body)
        else:
            self._answer(body, _echo(body))

    def do_DELETE(self) -> None:
        OpenAIRoutes(self, self.provider.batches, self._send).serve("DELETE", b"")

    def _note(self, body: dict[str, Any]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.provider.requests.append({"path": self.path, "headers": headers, "body": body})

    def _do_flaky(self, body: dict[str, Any]) -> None:
        if self.provider.calls[body["model"]] <= int(body["model"].partition("-")[2]):
            self._error(500, "A passing failure.")
        else:
            self._answer(body, _echo(body))

    def _do_limited(self, body: dict[str, Any]) -> None:
        if self.provider.calls[body["model"]] <= int(body["model"].partition("-")[2]):
            self._error(429, "Too many requests.", **{"retry-after-ms": "50"})
        else:
            self._answer(body, _echo(body))

    def _do_late(self, body: dict[str, Any]) -> None:
        self.provider.closing.wait(0.15)
        self._answer(body, _echo(body))

    def _do_slow(self, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            for number in range(1200):
                self.wfile.write(_event(_chunk(body["model"], f"word{number} ")))
                self.wfile.flush()
                if self.provider.closing.wait(0.05):
                    break
        except OSError:
            self.provider.hung_up[body["model"]] += 1
        self.close_connection = True

    def _do_rate_limited(self, body: dict[str, Any]) -> None:
        self._error(429, "Slow down.", **{"Retry-After": "7"})

    def _do_no_quota(self, body: dict[str, Any]) -> None:
        self._error(429, "You exceeded your quota.", code="insufficient_quota")

    def _do_unauthorized(self, body: dict[str, Any]) -> None:
        key = self.headers["Authorization"].partition(" ")[2]
        self._error(401, f"Incorrect API key provided: {key}.")

    def _do_bad_request(self, body: dict[str, Any]) -> None:
        self._error(400, "temperature must be below 2.")

    def _do_filtered(self, body: dict[str, Any]) -> None:
        self._error(400, "The prompt was filtered.", code="content_filter")

    def _do_broken(self, body: dict[str, Any]) -> None:
        self._error(500, "Out of order.")

    def _do_hang(self, body: dict[str, Any]) -> None:
        self.provider.closing.wait(30)
        self.close_connection = True

    def _do_hang_once(self, body: dict[str, Any]) -> None:
        if self.provider.calls[body["model"]] == 1:
            self._do_hang(body)
        else:
            self._answer(body, _echo(body))

    def _do_html(self, body: dict[str, Any]) -> None:
        self._send(200, b"<h1>Welcome</h1>", "text/html")

    def _do_moved(self, body: dict[str, Any]) -> None:
        self._send(302, b"", "text/plain", Location="http://127.0.0.1:1/v1/chat/completions")

    def _do_no_usage(self, body: dict[str, Any]) -> None:
        self._json(_completion(body["model"], _echo(body)) | {"usage": None})

    def _do_schema(self, body: dict[str, Any]) -> None:
        self._answer(body, json.dumps({"name": body["response_format"]["json_schema"]["name"]}))

    def _do_rows(self, body: dict[str, Any]) -> None:
        """An entry for each row of the list in the message; of several those that ask for it are left out."""
        text = body["messages"][-1]["content"]
        rows = json.loads(text[text.index("[") : text.rindex("]") + 1])
        shown = [row for row in rows if len(rows) == 1 or not row.get("shy")]
        self._answer(body, json.dumps([{"id": row["id"], "length": len(row["review"])} for row in shown]))

    def _do_mends(self, body: dict[str, Any]) -> None:
        if any(message["role"] == "assistant" for message in body["messages"]):
            self._do_schema(body)
        else:
            self._answer(body, "Surely: {")

    def _do_relapses(self, body: dict[str, Any]) -> None:
        if any(message["role"] == "assistant" for message in body["messages"]):
            self._do_bad_request(body)
        else:
            self._answer(body, "Surely: {")

    def _do_huge(self, body: dict[str, Any]) -> None:
        self._answer(body, "\u00e4" * 1024 * 1024)

    def _do_tools(self, body: dict[str, Any]) -> None:
        name = body["tools"][0]["function"]["name"]
        calls: list[dict[str, Any]] = [
            {"id": f"call_{place}", "function": {"name": name, "arguments": json.dumps({"place": place})}}
            for place in ("Oslo", "Bergen")
        ]
        if not body.get("stream"):
            answer = _completion(body["model"], "")
            message = {"role": "assistant", "content": None, "tool_calls": calls}
            answer["choices"] = [{"index": 0, "finish_reason": "tool_calls", "message": message}]
            self._json(answer)
            return
        chunks = []
        for index, call in enumerate(calls):
            text = call["function"]["arguments"]
            first = {"index": index, "id": call["id"], "function": {"name": name, "arguments": ""}}
            pieces = [{"index": index, "function": {"arguments": part}} for part in (text[:5], text[5:])]
            chunks += [_calling_chunk(body["model"], piece) for piece in (first, *pieces)]
        last = _chunk(body["model"], "")
        last["choices"][0]["finish_reason"] = "tool_calls"
        self._stream([*chunks, last])

    def _do_truncated(self, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if body.get("stream") else "application/json")
        self.send_header("Content-Length", "100000")
        self.end_headers()
        if body.get("stream"):
            self.wfile.write(_event(_chunk(body["model"], "half an")))
        self.close_connection = True

    def _do_silent(self, body: dict[str, Any]) -> None:
        self._stream([_chunk(body["model"], "half an")])

    def _do_error_in_stream(self, body: dict[str, Any]) -> None:
        self._stream([_chunk(body["model"], "half an"), {"error": {"message": "The engine stopped."}}])

    def _answer(self, body: dict[str, Any], text: str) -> None:
        if not body.get("stream"):
            self._json(_completion(body["model"], text))
            return
        words = text.split(" ")
        pieces = [word + (" " if index < len(words) - 1 else "") for index, word in enumerate(words)]
        chunks = [_chunk(body["model"], piece) for piece in pieces]
        last = _chunk(body["model"], "")
        last["choices"][0]["finish_reason"] = "stop"
        usage = {**_chunk(body["model"], ""), "choices": [], "usage": WORDS_USAGE}
        self._stream([*chunks, last, *([usage] if body.get("stream_options") else [])])

    def _stream(self, chunks: list[dict[str, Any]]) -> None:
        payload = b"".join(map(_event, chunks)) + b"data: [DONE]\n\n"
        self._send(200, payload, "text/event-stream")

    def _json(self, body: dict[str, Any], status: int = 200, **headers: str) -> None:
        self._send(status, json.dumps(body).encode(), "application/json", **headers)

    def _error(self, status: int, message: str, code: str | None = None, **headers: str) -> None:
        self._json({"error": {"message": message, "type": "some_error", "code": code}}, status, **headers)

    def _send(self, status: int, payload: bytes, content_type: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": content_type, "x-request-id": "upstream-1", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


def _echo(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else json.dumps(content)


def _completion(model: str, text: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": f"{model}-2026",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}},
        ],
        "usage": WORDS_USAGE,
    }


def _chunk(model: str, text: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": f"{model}-2026",
        "choices": [{"index": 0, "finish_reason": None, "delta": {"content": text}}],
    }


def _calling_chunk(model: str, piece: dict[str, Any]) -> dict[str, Any]:
    chunk = _chunk(model, "")
    chunk["choices"][0]["delta"] = {"tool_calls": [{"type": "function"} | piece]}
    return chunk


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"
