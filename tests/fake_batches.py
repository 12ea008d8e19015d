"""The batch endpoints of the fake providers: files and batches that are kept, with faults on demand.

What becomes of a call is chosen by its last message: `[expired]`, `[missing]` (no line at all), `[error 400]`
and `[error 500]`; all else is answered as a direct call would be. `polls` is how often a batch is asked for
before it has ended; `refuses` fails each new batch as a whole, by that code. `faults` holds, for an operation
(upload, create, list, get, cancel, content), what its next calls meet: "500", "429", "401", "400", or "lost":
it is done, but the answer never arrives; "refused": the connection ends before anything is done.
"""

import json
import re
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

Body = dict[str, Any]
STATUSES = {"500": 500, "429": 429, "401": 401, "400": 400}
FATE = re.compile(r"\[(expired|missing|error (\d+))\]")


@dataclass
class FakeBatches:
    """What lies at one fake provider."""

    polls: int = 0
    refuses: str = ""
    cut_after: int | None = None
    """How many calls of a batch that is cancelled count as finished; None: all."""
    faults: dict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))
    calls: Counter[str] = field(default_factory=Counter)
    files: dict[str, Body] = field(default_factory=dict)
    batches: dict[str, Body] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)
    numbers: int = 0

    def next_id(self, prefix: str) -> str:
        """A new id."""
        self.numbers += 1
        return f"{prefix}{self.numbers:04d}"

    def add_batch(self, prefix: str, requests: list[Body], **more: Any) -> Body:
        """Keep a new batch."""
        found = {
            "id": self.next_id(prefix),
            "requests": requests,
            "created": time.time(),
            "polled": 0,
            "cancelled": False,
            "refused": self.refuses,
            **more,
        }
        self.batches[found["id"]] = found
        return found

    def has_ended(self, batch: Body) -> bool:
        """Whether it is through; each question counts as a poll."""
        batch["polled"] += 1
        return bool(batch["cancelled"] or batch["polled"] > self.polls)

    def finished(self, batch: Body) -> list[Body]:
        """Those of its calls that were made."""
        requests: list[Body] = batch["requests"]
        return requests[: self.cut_after] if batch["cancelled"] else requests

    def custom_ids(self) -> list[str]:
        """Of every call of every batch."""
        return [each["custom_id"] for batch in self.batches.values() for each in batch["requests"]]


def fate_of(text: str) -> tuple[str, int]:
    """What becomes of a call: "answered", "expired", "missing" or "error", with the error's status."""
    found = FATE.search(text)
    if found is None:
        return "answered", 200
    return ("error", int(found[2])) if found[2] else (found[1], 0)


class BatchRoutes:
    """A request of a batch endpoint: `serve` answers it, or says that it is none. One for each request."""

    prefix = ""

    def __init__(
        self, handler: BaseHTTPRequestHandler, store: FakeBatches, respond: Callable[..., None]
    ) -> None:
        self.handler, self.store, self.respond = handler, store, respond
        split = urlsplit(handler.path)
        self.path = split.path.removeprefix(self.prefix).strip("/").split("/")
        self.query = {name: values[0] for name, values in parse_qs(split.query).items()}

    def serve(self, method: str, raw: bytes) -> bool:
        """Whether it was one of ours, then answered."""
        operation = self.operation(method)
        if not operation:
            return False
        with self.store.lock:
            self.store.calls[operation] += 1
            waiting = self.store.faults[operation]
            fault = waiting.popleft() if waiting else ""
            if fault in STATUSES:
                self.fail(STATUSES[fault])
                return True
            if fault == "refused":
                self.handler.close_connection = True
                return True
            status, answer = getattr(self, f"do_{operation}")(raw)
        if fault == "lost":
            self.handler.close_connection = True
            return True
        payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.respond(status, payload, "application/json")
        return True

    def operation(self, method: str) -> str:
        """What is asked for."""
        raise NotImplementedError

    def fail(self, status: int) -> None:
        """Answer with an error."""
        raise NotImplementedError


class OpenAIRoutes(BatchRoutes):
    """`/v1/files` and `/v1/batches`."""

    prefix = "/v1"

    def operation(self, method: str) -> str:
        named = {
            ("POST", "files", 1): "upload",
            ("GET", "files", 1): "files",
            ("GET", "files", 3): "content",
            ("DELETE", "files", 2): "delete",
            ("POST", "batches", 1): "create",
            ("GET", "batches", 1): "list",
            ("GET", "batches", 2): "get",
            ("POST", "batches", 3): "cancel",
        }
        return named.get((method, self.path[0], len(self.path)), "")

    def fail(self, status: int) -> None:
        body = {"error": {"message": f"Fault {status}.", "type": "some_error", "code": None}}
        self.respond(status, json.dumps(body).encode(), "application/json")

    def do_upload(self, raw: bytes) -> tuple[int, Body]:
        kind = self.handler.headers["Content-Type"]
        boundary = kind.partition("boundary=")[2].encode()
        part = next(each for each in raw.split(b"--" + boundary) if b'name="file"' in each)
        head, _, content = part.partition(b"\r\n\r\n")
        name = re.search(rb'filename="([^"]+)"', head)
        assert name is not None
        file_id = self.store.next_id("file-")
        found = {"id": file_id, "filename": name[1].decode(), "content": content[:-2]}
        self.store.files[file_id] = found
        return 200, self._file(found)

    def do_files(self, raw: bytes) -> tuple[int, Body]:
        listed = [self._file(each) for each in reversed(list(self.store.files.values()))]
        return 200, {"object": "list", "data": listed, "has_more": False}

    def do_content(self, raw: bytes) -> tuple[int, bytes | Body]:
        batch = self.store.batches.get(self.path[1].rpartition("-")[2])
        if batch is None or self.path[1] in self.store.deleted:
            return 404, {"error": {"message": "No such File object."}}
        errors = self.path[1].startswith("errors")
        lines = [self._line(each) for each in self.store.finished(batch)]
        return 200, b"".join(
            json.dumps(each).encode() + b"\n" for each in lines if each and bool(each["error"]) == errors
        )

    def do_delete(self, raw: bytes) -> tuple[int, Body]:
        self.store.deleted.append(self.path[1])
        self.store.files.pop(self.path[1], None)
        return 200, {"id": self.path[1], "deleted": True}

    def do_create(self, raw: bytes) -> tuple[int, Body]:
        asked = json.loads(raw)
        content = self.store.files[asked["input_file_id"]]["content"]
        requests = [json.loads(line) for line in content.splitlines() if line]
        batch = self.store.add_batch("batch_", requests, asked=asked)
        return 200, self._batch(batch, ended=False)

    def do_list(self, raw: bytes) -> tuple[int, Body]:
        listed = [self._batch(each, ended=False) for each in reversed(list(self.store.batches.values()))]
        return 200, {"object": "list", "data": listed, "has_more": False}

    def do_get(self, raw: bytes) -> tuple[int, Body]:
        batch = self.store.batches.get(self.path[1])
        if batch is None:
            return 404, {"error": {"message": "No such batch."}}
        return 200, self._batch(batch, ended=self.store.has_ended(batch))

    def do_cancel(self, raw: bytes) -> tuple[int, Body]:
        batch = self.store.batches[self.path[1]]
        batch["cancelled"] = True
        return 200, self._batch(batch, ended=False)

    def _file(self, found: Body) -> Body:
        told = {name: found[name] for name in ("id", "filename")}
        return {"object": "file", "purpose": "batch", "bytes": len(found["content"]), **told}

    def _batch(self, batch: Body, *, ended: bool) -> Body:
        status = "in_progress"
        if batch["refused"]:
            status = "failed"
        elif ended:
            status = "cancelled" if batch["cancelled"] else "completed"
        total = len(batch["requests"])
        errors = {"data": [{"code": batch["refused"], "message": "Refused.", "line": None}]}
        return {
            "id": batch["id"],
            "object": "batch",
            "status": status,
            "created_at": int(batch["created"]),
            "metadata": batch["asked"]["metadata"],
            "errors": errors if batch["refused"] else None,
            "output_file_id": f"output-{batch['id']}" if ended else None,
            "error_file_id": f"errors-{batch['id']}" if ended else None,
            "request_counts": {"total": total, "completed": total if ended else 0, "failed": 0},
        }

    def _line(self, request: Body) -> Body | None:
        text = str(request["body"]["messages"][-1]["content"])
        fate, status = fate_of(text)
        line = {"id": "batch_req_1", "custom_id": request["custom_id"], "response": None, "error": None}
        if fate == "missing":
            return None
        if fate == "expired":
            return line | {"error": {"code": "batch_expired", "message": "It could not be done in time."}}
        if fate == "error":
            body = {"error": {"message": f"Fault {status}.", "type": "some_error", "code": None}}
            return line | {
                "response": {"status_code": status, "request_id": "req_1", "body": body},
                "error": {"code": "request_failed", "message": f"Fault {status}."},
            }
        answer = {
            "model": request["body"]["model"],
            "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
            ],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
        }
        return line | {"response": {"status_code": 200, "request_id": "req_1", "body": answer}}


class AnthropicRoutes(BatchRoutes):
    """`/v1/messages/batches`."""

    prefix = "/v1/messages"

    def operation(self, method: str) -> str:
        if self.path[0] != "batches":
            return ""
        last = self.path[-1]
        named = {
            ("POST", 1): "create",
            ("GET", 1): "list",
            ("GET", 2): "get",
            ("DELETE", 2): "delete",
            ("POST", 3): "cancel",
            ("GET", 3): "content" if last == "results" else "",
        }
        return named.get((method, len(self.path)), "")

    def fail(self, status: int) -> None:
        kinds = {429: "rate_limit_error", 401: "authentication_error", 400: "invalid_request_error"}
        error = {"type": kinds.get(status, "api_error"), "message": f"Fault {status}."}
        self.respond(status, json.dumps({"type": "error", "error": error}).encode(), "application/json")

    def do_create(self, raw: bytes) -> tuple[int, Body]:
        batch = self.store.add_batch("msgbatch_", json.loads(raw)["requests"])
        return 200, self._batch(batch, ended=False)

    def do_list(self, raw: bytes) -> tuple[int, Body]:
        batches = reversed(list(self.store.batches.values()))
        return 200, {"data": [self._batch(each, ended=False) for each in batches], "has_more": False}

    def do_get(self, raw: bytes) -> tuple[int, Body]:
        batch = self.store.batches[self.path[1]]
        return 200, self._batch(batch, ended=self.store.has_ended(batch))

    def do_cancel(self, raw: bytes) -> tuple[int, Body]:
        batch = self.store.batches[self.path[1]]
        batch["cancelled"] = True
        return 200, self._batch(batch, ended=False)

    def do_delete(self, raw: bytes) -> tuple[int, Body]:
        self.store.deleted.append(self.path[1])
        return 200, {"id": self.path[1], "type": "message_batch_deleted"}

    def do_content(self, raw: bytes) -> tuple[int, bytes]:
        batch = self.store.batches[self.path[1]]
        made = {each["custom_id"] for each in self.store.finished(batch)}
        lines = [self._line(each, made=each["custom_id"] in made) for each in batch["requests"]]
        return 200, b"".join(json.dumps(each).encode() + b"\n" for each in lines if each)

    def _batch(self, batch: Body, *, ended: bool) -> Body:
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        counts["succeeded" if ended else "processing"] = len(batch["requests"])
        return {
            "id": batch["id"],
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(batch["created"])),
            "request_counts": counts,
            "results_url": "http://127.0.0.1:1/elsewhere" if ended else None,
        }

    def _line(self, request: Body, *, made: bool) -> Body | None:
        params = request["params"]
        text = str(params["messages"][-1]["content"][-1]["text"])
        fate, status = fate_of(text)
        if fate == "missing":
            return None
        result: Body = {"type": "expired"}
        if not made:
            result = {"type": "canceled"}
        elif fate == "error":
            kind = "invalid_request_error" if status == 400 else "api_error"
            error = {"type": "error", "error": {"type": kind, "message": f"Fault {status}."}}
            result = {"type": "errored", "error": error}
        elif fate == "answered":
            message = {
                "id": "msg_1",
                "model": params["model"],
                "content": [{"type": "text", "text": text}],
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 1000, "output_tokens": 100},
            }
            result = {"type": "succeeded", "message": message}
        return {"custom_id": request["custom_id"], "result": result}
