"""Several rows in one call, and rows that are cut."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest

from apps.batches.shapes.multi_row import Shares, answers
from apps.batches.shapes.splitting import split
from apps.batches.work import as_json, parse_work
from apps.core.errors import InvalidRequest
from apps.core.ids import uuid7
from apps.providers import tokens
from apps.providers.pricing import Price
from apps.providers.types import Usage
from apps.runs.types import RunResult

TEXT = "\n\n".join(f"Paragraph {n}. It says something. And something more." for n in range(60))


@pytest.mark.parametrize("overlap", [0, 20])
def test_split__a_long_text__holds_everything_in_pieces_of_the_size(overlap: int) -> None:
    pieces = split(TEXT, size=100, overlap=overlap)

    assert len(pieces) > 5
    assert all(tokens.count(piece, "") <= 100 + overlap + 1 for piece in pieces)
    if not overlap:
        assert "".join(pieces) == TEXT
    assert all(f"Paragraph {n}." in "".join(pieces) for n in range(60))


def test_split__overlap__repeats_the_end_of_the_piece_before() -> None:
    first, second, *_ = split(TEXT, size=100, overlap=20)
    shared = next(second[:size] for size in range(len(second), 0, -1) if first.endswith(second[:size]))

    assert 5 <= tokens.count(shared, "") <= 20


@pytest.mark.parametrize("text", ["", "short", "x" * 5_000, "字" * 500, " " * 3_000])
def test_split__texts_without_good_places__are_cut_all_the_same(text: str) -> None:
    assert "".join(split(text, size=50, overlap=0)) == text


@pytest.mark.parametrize(
    "told",
    [
        {"kind": "rows"},
        {"kind": "multi_row", "variable": "rows", "rows_per_call": 5, "tokens_per_call": 900},
        {
            "kind": "chunked",
            "variable": "text",
            "tokens": 500,
            "overlap": 20,
            "reduce": {
                "prompt": "join",
                "version": 2,
                "label": None,
                "model": "",
                "variable": "parts",
                "max_tokens": None,
            },
        },
    ],
)
def test_parse_work__what_a_job_keeps__comes_back(told: dict[str, Any]) -> None:
    assert as_json(parse_work(told)) == told


@pytest.mark.parametrize(
    ("told", "param"),
    [
        ({"kind": "many"}, "work.kind"),
        ({"kind": "rows", "tokens": 4}, "work.tokens"),
        ({"kind": "multi_row", "rows_per_call": 1}, "work.rows_per_call"),
        ({"kind": "multi_row", "rows_per_call": True}, "work.rows_per_call"),
        ({"kind": "chunked", "reduce": {"prompt": "join"}}, "work.variable"),
        ({"kind": "chunked", "variable": "text"}, "work.reduce"),
        ({"kind": "chunked", "variable": "text", "reduce": {}}, "work.reduce.prompt"),
        (
            {"kind": "chunked", "variable": "text", "tokens": 100, "overlap": 51, "reduce": {"prompt": "a"}},
            "work.overlap",
        ),
    ],
)
def test_parse_work__what_makes_no_sense__is_refused_by_name(told: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_work(told)

    assert (refused.value.code, refused.value.param) == ("work_invalid", param)


def test_answers__by_id__are_matched_and_doubtful_ones_left_out() -> None:
    text = orjson.dumps(
        {
            "rows": [
                {"id": "1", "mood": "good"},
                {"id": 2, "mood": "bad"},
                {"id": "3", "mood": "a"},
                {"id": "3", "mood": "b"},
                {"mood": "whose?"},
                "nothing",
            ]
        }
    ).decode()

    assert answers(result_of(text)) == {"1": {"mood": "good"}, "2": {"mood": "bad"}}
    assert answers(result_of(f"```json\n{text}\n```")) == answers(result_of(text))
    assert answers(result_of("no list")) == answers(result_of(text, "failed")) == {}


def test_shares__of_three_rows__add_up_to_the_call() -> None:
    result = result_of("", input_tokens=10, output_tokens=2, cost=Decimal("0.0000000010"))
    parts = [Shares(result, 3).of(position) for position in range(3)]

    assert [part["input_tokens"] for part in parts] == [4, 3, 3]
    assert sum(part["output_tokens"] for part in parts) == 2
    assert sum(part["cost"] for part in parts) == Decimal("0.0000000010")


@pytest.mark.parametrize("value", ['"a\\u0000b"', "[" * 300 + "]" * 300, '{"\\u0000": 1}'])
def test_answers__that_can_not_be_kept__are_left_to_rows_alone(value: str) -> None:
    assert answers(result_of(f'[{{"id": "1", "output": {value}}}, {{"id": "2", "output": "b"}}]')) == {}
    assert answers(result_of('[{"id": "1", "output": "the text \\\\u0000"}]')).keys() == {"1"}


def result_of(
    text: str,
    status: Any = "succeeded",
    *,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    cost: Decimal | None = None,
) -> RunResult:
    return RunResult(
        run_id=uuid7(),
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
        status=status,
        text=text,
        parsed=None,
        usage=Usage(input_tokens=input_tokens, output_tokens=output_tokens),
        price=Price("priced", cost) if cost is not None else None,
        latency_ms=1,
        first_token_ms=None,
        finish_reason="stop",
        error=None,
        model="sandbox/echo",
        sandbox=True,
    )
