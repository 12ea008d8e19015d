"""Several rows in one call, and rows that are cut."""

from typing import Any

import pytest

from apps.batches.shapes.splitting import split
from apps.batches.work import as_json, parse_work
from apps.core.errors import InvalidRequest
from apps.providers import tokens

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
