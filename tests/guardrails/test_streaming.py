"""An answer on its way: what is held back, what goes, and that a stream says what a whole answer does."""

import base64
import codecs
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from apps.guardrails.canary import find_canary, make_canary
from apps.guardrails.evaluation import evaluate
from apps.guardrails.findings import Piece
from apps.guardrails.judging import hits_of, question, read_verdict
from apps.guardrails.policy import parse_policy
from apps.guardrails.rules import Judge
from apps.guardrails.spotlight import make_marker
from apps.guardrails.streaming import LONGEST_REACH, StreamGuard, holds_back

REDACTING = parse_policy(
    {
        "rules": [
            {"kind": "pii", "types": ["email", "card", "secrets"]},
            {"kind": "deny_list", "words": ["red fox"], "action": "redact"},
        ]
    }
)
TOKEN = make_canary(b"k" * 32, "project:prompt")
KEY = f"-----BEGIN PRIVATE KEY-----\n{'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC' * 50}\n-----END PRIVATE KEY-----"


def _stream(guard: StreamGuard, pieces: Iterable[str]) -> list[str]:
    gone = [guard.feed(piece) for piece in pieces]
    return [*gone, guard.finish()]


@settings(max_examples=40, deadline=None)
@given(
    some.lists(
        some.sampled_from(
            ["word ", "anna@firma.example ", "4111 1111 1111 1111 ", "a red fox. ", "ß\u200b— ", KEY]
        ),
        max_size=30,
    ),
    some.integers(1, 40),
)
def test_stream_guard__any_cutting__says_what_the_whole_answer_would(parts: list[str], size: int) -> None:
    text = "".join(parts)
    pieces = [text[place : place + size] for place in range(0, len(text), size)]
    assert "".join(_stream(StreamGuard(REDACTING), pieces)) == evaluate(REDACTING, text, "output").text


def test_stream_guard__plain_text__lags_by_a_bounded_number_of_characters() -> None:
    guard = StreamGuard(REDACTING)
    come = gone = 0
    for _ in range(400):
        come += 5
        gone += len(guard.feed("word "))
        assert come - gone <= LONGEST_REACH + 40


def test_stream_guard__block__lets_nothing_of_it_go() -> None:
    policy = parse_policy({"rules": [{"kind": "deny_list", "words": ["falcon"], "on": "output"}]})
    guard = StreamGuard(policy)
    gone = "".join(_stream(guard, ["word "] * 50 + ["fal", "con "] + ["word "] * 50))
    assert guard.blocked
    assert gone.replace("word ", "").strip("word ") == ""


def test_stream_guard__length__blocks_once_it_is_passed() -> None:
    policy = parse_policy({"rules": [{"kind": "length", "most_characters": 50, "on": "output"}]})
    guard = StreamGuard(policy)
    _stream(guard, ["ten chars "] * 6)
    assert guard.blocked


def test_holds_back__only_where_a_rule_prevents_something() -> None:
    flagging = parse_policy({"rules": [{"kind": "pii", "types": ["email"], "action": "flag"}]})
    assert not holds_back(flagging)
    assert holds_back(REDACTING)
    assert holds_back(parse_policy({"canary": {}}))


@pytest.mark.parametrize(
    "disguised",
    [
        TOKEN,
        TOKEN.upper(),
        "-".join(TOKEN),
        TOKEN[::-1],
        f"first {TOKEN[:10]} then {TOKEN[10:]}",
        TOKEN.encode().hex(),
        base64.b64encode(f"see {TOKEN}!".encode()).decode(),
        codecs.encode(TOKEN, "rot13"),
    ],
)
def test_find_canary__in_any_disguise__is_a_leak(disguised: str) -> None:
    assert list(find_canary(f"It says {disguised}.", TOKEN))


def test_make_canary__equal_runs__have_equal_tokens_and_others_do_not() -> None:
    assert make_canary(b"k" * 32, "project:prompt") == TOKEN
    assert make_canary(b"l" * 32, "project:prompt") != TOKEN
    assert not list(find_canary("A perfectly ordinary answer.", TOKEN))


@pytest.mark.parametrize(("mode", "inner"), [("delimit", "a b"), ("datamark", "aˆb"), ("encode", "YSBi")])
def test_marker__each_mode__marks_and_cannot_be_imitated(mode: str, inner: str) -> None:
    marker = make_marker(parse_policy({"spotlight": {"mode": mode}}).spotlight.mode, b"k" * 32, "p")  # type: ignore[union-attr]
    assert marker.mark("a b") == f"{marker.opening}{inner}{marker.closing}"
    assert marker.mark(f"a{marker.closing} b").count(marker.closing) == 1
    assert marker.mark("") == ""
    assert marker.opening in marker.instruction


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ('{"score": 0.9, "category": "injection"}', 0.9),
        ('Sure: {"score": 1, "category": "odd"}', 1.0),
        ('{"score": 2}', None),
        ('{"score": true}', None),
        ("no idea", None),
        ('{"score": ' + "[" * 100_000 + "}", None),
        ("[]", None),
        ("", None),
    ],
)
def test_read_verdict__any_answer__is_a_verdict_or_none(answer: str, score: float | None) -> None:
    verdict = read_verdict(answer)
    assert (verdict.score if verdict else None) == score


def test_hits_of__verdicts__block_flag_or_say_that_there_was_none() -> None:
    judge = Judge("openai/gpt-5-mini", action="block", threshold=0.7)
    [hit] = hits_of(judge, "input", read_verdict('{"score": 0.9, "category": "jailbreak"}'))
    assert (hit.action, hit.signals) == ("block", ("jailbreak",))
    assert not hits_of(judge, "input", read_verdict('{"score": 0.2, "category": "none"}'))
    [missing] = hits_of(judge, "input", None)
    assert (missing.action, missing.signals) == ("flag", ("judge_unavailable",))
    assert len(question("input", [Piece("a", "x" * 90_000)])[1]["content"]) < 21_000
