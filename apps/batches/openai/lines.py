"""A batch's input file: each line one request, read in chunks and judged line by line. Pure.

OpenAI takes one model a file. Here lines may name different models and prompts: a file is refused for what
can't be carried out, and two models can.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from apps.core.errors import InvalidRequest
from apps.core.json_bodies import BODY_LIMIT, parse_json

MOST_REQUESTS: Final = 50_000
MOST_EMBEDDING_INPUTS: Final = 50_000
LONGEST_CUSTOM_ID: Final = 512
MOST_PROBLEMS: Final = 100
"""So many are told of one file; a file that is wrong is wrong in every line."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file is refused. `line` counts from 1, None where the whole file is meant."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As OpenAI's batch object tells it."""
        return {"code": self.code, "line": self.line, "message": self.message, "param": self.param}


@dataclass(frozen=True, slots=True)
class RequestLine:
    """One request of a file."""

    line: int
    custom_id: str
    body: dict[str, Any]


class LineProblem(Exception):
    """What is wrong with one line."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.param = code, message, param


@dataclass(slots=True)
class Reader:
    """Reads a file's requests for one endpoint; what is wrong gathers in `problems`.

    `targets` holds each model or prompt that a body names, with the first line that does. Once something is
    wrong, requests are still judged, but `read` gives none any more.
    """

    endpoint: str
    problems: list[Problem] = field(default_factory=list)
    targets: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    _inputs: int = 0
    _seen: dict[bytes, int] = field(default_factory=dict)

    def read(self, chunks: Iterable[bytes]) -> Iterator[RequestLine]:
        """The requests in the order of the file, one at a time."""
        for number, raw in _lines(chunks):
            request = self._judged(number, raw)
            if len(self.problems) >= MOST_PROBLEMS or self._is_full():
                return
            if request is not None and not self.problems:
                yield request
        if not self.requests and not self.problems:
            self.problems.append(Problem("empty_file", "The file holds no request."))

    def _judged(self, number: int, raw: bytes | None) -> RequestLine | None:
        self.requests += 1
        try:
            request = _request(number, raw, self.endpoint)
            self._demand_new(request)
        except LineProblem as problem:
            self.problems.append(Problem(problem.code, problem.message, number, problem.param))
            return None
        self._note_target(request)
        self._inputs += _inputs_of(request.body) if self.endpoint == "/v1/embeddings" else 0
        return request

    def _demand_new(self, request: RequestLine) -> None:
        # Digests, because 50,000 ids may be long.
        digest = hashlib.blake2b(request.custom_id.encode(), digest_size=_DIGEST_BYTES).digest()
        first = self._seen.setdefault(digest, request.line)
        if first != request.line:
            raise LineProblem(
                "duplicate_custom_id",
                f"The custom_id of this request is that of line {first}. Give every request its own.",
                "custom_id",
            )

    def _note_target(self, request: RequestLine) -> None:
        named = request.body.get("model")
        prompt = request.body.get("prompt")
        if isinstance(prompt, dict):
            named = f"prompt:{prompt.get('id')}" + (f"#{prompt['version']}" if prompt.get("version") else "")
        if isinstance(named, str):
            self.targets.setdefault(named, request.line)

    def _is_full(self) -> bool:
        if self.requests > MOST_REQUESTS:
            message = f"A batch has at most {MOST_REQUESTS:,} requests. Split the file."
            self.problems.append(Problem("too_many_requests_in_file", message))
            return True
        if self._inputs > MOST_EMBEDDING_INPUTS:
            message = f"A batch embeds at most {MOST_EMBEDDING_INPUTS:,} inputs over all requests. Split it."
            self.problems.append(Problem("too_many_inputs", message, self.requests, "body.input"))
            return True
        return False


def _lines(chunks: Iterable[bytes], limit: int = BODY_LIMIT) -> Iterator[tuple[int, bytes | None]]:
    """The lines that hold something, with their numbers; None for one that is too long to be taken."""
    number, parts, size, too_long = 0, list[bytes](), 0, False
    for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            number += 1
            raw = None if too_long or size + len(piece) > limit else b"".join((*parts, piece))
            parts, size, too_long = [], 0, False
            if raw is None or raw.strip():
                yield number, raw
        size += len(rest)
        too_long = too_long or size > limit
        parts = [] if too_long else [*parts, rest]
    last = b"".join(parts)
    if too_long or last.strip():
        yield number + 1, None if too_long else last


def _request(number: int, raw: bytes | None, endpoint: str) -> RequestLine:
    if raw is None:
        raise LineProblem("line_too_large", f"This line is longer than {BODY_LIMIT:,} bytes.")
    try:
        found = parse_json(raw.removeprefix(_BYTE_ORDER_MARK) if number == 1 else raw)
    except InvalidRequest as problem:
        code = "invalid_json_line" if problem.code == "invalid_json" else problem.code
        raise LineProblem(code, problem.message.replace("The body", "This line")) from None
    if not isinstance(found, dict):
        raise LineProblem("invalid_json_line", "This line is not a JSON object.")
    custom_id, body = found.get("custom_id"), found.get("body")
    _demand_fields(found)
    if found["method"] != "POST":
        raise LineProblem("invalid_method", "Only the method POST can be carried out.", "method")
    if found["url"] != endpoint:
        message = f"The url of this request is not the batch's endpoint, {endpoint}."
        raise LineProblem("mismatched_endpoint", message, "url")
    assert isinstance(custom_id, str)
    assert isinstance(body, dict)
    return RequestLine(number, custom_id, body)


def _demand_fields(found: dict[str, Any]) -> None:
    for name, kind, words in (
        ("custom_id", str, "text"),
        ("method", str, "text"),
        ("url", str, "text"),
        ("body", dict, "an object"),
    ):
        if found.get(name) is None:
            raise LineProblem("missing_required_parameter", f"This request has no {name}.", name)
        if not isinstance(found[name], kind):
            raise LineProblem("invalid_type", f"{name} must be {words}.", name)
    if not 0 < len(found["custom_id"]) <= LONGEST_CUSTOM_ID:
        message = f"A custom_id has 1 to {LONGEST_CUSTOM_ID} characters."
        raise LineProblem("invalid_custom_id", message, "custom_id")
    if found["body"].get("stream") or found["body"].get("background"):
        name = "stream" if found["body"].get("stream") else "background"
        raise LineProblem("unsupported_parameter", f"A batch knows no {name}.", f"body.{name}")


def _inputs_of(body: dict[str, Any]) -> int:
    given = body.get("input")
    if not isinstance(given, list) or not given or isinstance(given[0], int):
        return 1
    return len(given)
