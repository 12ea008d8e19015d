"""Reading the input file of an OpenAI batch. No database."""

from typing import Any

import orjson
import pytest

from apps.batches.openai import lines
from apps.batches.openai.answers import Answered, line
from apps.batches.openai.lines import Reader, RequestLine
from apps.core.ids import uuid7
from tests.factories.openai_batches import CHAT, jsonl, request_line


def _read(
    content: bytes, *, chunk: int = 1_000_000, endpoint: str = CHAT
) -> tuple[Reader, list[RequestLine]]:
    reader = Reader(endpoint)
    pieces = [content[at : at + chunk] for at in range(0, len(content), chunk)]
    return reader, list(reader.read(pieces))


def _codes(reader: Reader) -> list[tuple[int | None, str]]:
    return [(problem.line, problem.code) for problem in reader.problems]


@pytest.mark.parametrize("chunk", [1, 7, 1_000_000])
def test_reader__however_the_file_is_cut__gives_every_request(chunk: int) -> None:
    content = b"\xef\xbb\xbf" + jsonl([request_line("a"), request_line("b")]) + b"\r\n\n"
    content += orjson.dumps(request_line("é"))
    reader, found = _read(content, chunk=chunk)
    assert [(each.line, each.custom_id) for each in found] == [(1, "a"), (2, "b"), (5, "é")]
    assert reader.problems == []
    assert reader.targets == {"sandbox/standard": 1}


def test_reader__of_nothing__says_so() -> None:
    assert _codes(_read(b"\n \n")[0]) == [(None, "empty_file")]


def test_reader__of_a_line_that_is_too_long__goes_on_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines._lines, "__defaults__", (300,))
    content = jsonl([request_line("a"), "x" * 1_000, request_line("a")])
    reader, found = _read(content, chunk=64)
    assert _codes(reader) == [(2, "line_too_large"), (3, "duplicate_custom_id")]
    assert [each.line for each in found] == [1]


def test_reader__of_too_many_requests_inputs_or_problems__stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST_REQUESTS", 2)
    monkeypatch.setattr(lines, "MOST_EMBEDDING_INPUTS", 3)
    monkeypatch.setattr(lines, "MOST_PROBLEMS", 4)
    many = jsonl([request_line(str(number)) for number in range(9)])
    assert _codes(_read(many)[0]) == [(None, "too_many_requests_in_file")]
    body = {"model": "sandbox/embedding", "input": ["one", "two"]}
    texts = jsonl([request_line(str(number), body, "/v1/embeddings") for number in range(2)])
    assert _codes(_read(texts, endpoint="/v1/embeddings")[0]) == [(2, "too_many_inputs")]
    monkeypatch.setattr(lines, "MOST_REQUESTS", 100)
    assert len(_read(b"{\n" * 50)[0].problems) == 4


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"custom_id": ""}, "invalid_custom_id", "custom_id"),
        ({"custom_id": "x" * 513}, "invalid_custom_id", "custom_id"),
        ({"custom_id": 5}, "invalid_type", "custom_id"),
        ({"method": None}, "missing_required_parameter", "method"),
        ({"body": {"background": True}}, "unsupported_parameter", "body.background"),
        ({"url": "/v1/completions"}, "mismatched_endpoint", "url"),
        ({"body": {"a": "\u0000"}}, "invalid_character", None),
    ],
)
def test_reader__of_a_wrong_field__names_it(change: dict[str, Any], code: str, param: str | None) -> None:
    reader, _ = _read(jsonl([request_line("a") | change]))
    assert [(each.code, each.param) for each in reader.problems] == [(code, param)]


def test_line__of_an_answer__holds_the_body_as_it_is() -> None:
    body = b'{"id":"run_1","n":1.50}'
    answered = Answered("a", 1, uuid7(), 200, body, succeeded=True)
    made = line(answered, uuid7(), "completed")
    assert body in made
    assert orjson.loads(made)["error"] is None


@pytest.mark.parametrize(
    ("answered", "status", "code"),
    [
        (Answered("a", 1), "expired", "batch_expired"),
        (Answered("a", 1), "cancelled", "batch_cancelled"),
        (Answered("a", 1), "failed", "batch_stopped"),
        (Answered("a", 1, succeeded=True), "completed", "content_deleted"),
        (Answered("a", 1, error_code="given_up", error_message="No."), "completed", "given_up"),
    ],
)
def test_line__of_what_was_not_answered__says_why(answered: Answered, status: str, code: str) -> None:
    told = orjson.loads(line(answered, uuid7(), status))
    assert (told["response"], told["error"]["code"]) == (None, code)
