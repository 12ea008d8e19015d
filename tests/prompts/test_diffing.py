"""Comparing versions: by line, by word, and every part of the content."""

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.prompts.diffing import Gap, Row, Side, diff_lines, diff_versions, summarize, unified
from apps.prompts.types import VersionContent

BASE = VersionContent(
    messages=(
        {"role": "system", "content": "You are kind.\nAnswer in {{ language }}."},
        {"role": "user", "content": "{{ text }}"},
    ),
    variables=({"name": "text", "type": "text", "required": True},),
    model="sandbox/standard",
    parameters={"temperature": 0.4},
)


def marked(side: Side | None) -> str:
    """A line with what changed in square brackets."""
    assert side is not None
    return "".join(f"[{piece.text}]" if piece.changed else piece.text for piece in side.pieces)


def test_lines__one_word_changed__marks_the_word_on_both_sides() -> None:
    (row,) = diff_lines(["tone: friendly and helpful."], ["tone: friendly, exact."])
    assert marked(row.before) == "tone: friendly [and helpful]."
    assert marked(row.after) == "tone: friendly[, exact]."


def test_lines__two_neighbouring_words_changed__are_marked_as_one_stretch() -> None:
    (row,) = diff_lines(["keep one two keep keep"], ["keep six ten keep keep"])
    assert marked(row.before) == "keep [one two] keep keep"


def test_lines__nothing_in_common__marks_whole_lines() -> None:
    (row,) = diff_lines(["Offer a refund now please"], ["Never promise money, quote policy instead"])
    assert marked(row.after).startswith("[Never")
    assert marked(row.after).endswith("instead]")


def test_lines__variable_changed__is_marked_whole() -> None:
    (row,) = diff_lines(["Hi {{ name }}, hello there"], ["Hi {{ surname }}, hello there"])
    assert marked(row.after) == "Hi [{{ surname }}], hello there"


def test_lines__inserted_and_deleted__stand_alone_with_their_numbers() -> None:
    rows = diff_lines(["a", "b", "c"], ["a", "c", "d"])
    assert [
        (row.change, row.before and row.before.number, row.after and row.after.number) for row in rows
    ] == [
        ("same", 1, 1),
        ("removed", 2, None),
        ("same", 3, 2),
        ("added", None, 3),
    ]


def test_unified__run_of_changes__puts_what_went_before_what_came() -> None:
    lines = unified(diff_lines(["a", "b one two", "c one two", "d"], ["a", "b one six", "c one six", "d"]))
    assert [(line.sign, line.side.number) for line in lines] == [
        ("", 1),
        ("−", 2),
        ("−", 3),
        ("+", 2),
        ("+", 3),
        ("", 4),
    ]


def test_versions__model_parameter_variable_and_schema__each_has_its_part() -> None:
    after = replace(
        BASE,
        model="sandbox/fast",
        parameters={"temperature": 0.2, "max_tokens": 600},
        variables=(*BASE.variables, {"name": "n", "type": "number", "required": False, "default": 3}),
        output_schema={"type": "object"},
    )
    sections = {section.key: section for section in diff_versions(BASE, after)}
    assert (sections["settings"].added, sections["settings"].removed) == (3, 2)
    assert [row.after and row.after.text for row in sections["variables"].rows][-1] == "n: number, default 3"
    assert sections["schema"].added == 3
    assert sections["message-1"].unchanged
    assert summarize(sections.values()) == "Model and parameters, variables and output schema change"


def test_versions__same__nothing_changes() -> None:
    assert all(section.unchanged for section in diff_versions(BASE, BASE))
    assert summarize(diff_versions(BASE, BASE)) == "Nothing changes"


def test_versions__message_inserted_in_front__the_others_stay_paired() -> None:
    after = replace(BASE, messages=({"role": "developer", "content": "new"}, *BASE.messages))
    sections = diff_versions(BASE, after)
    assert [(each.title, each.unchanged) for each in sections[:3]] == [
        ("Developer message, number 1", False),
        ("System message, number 2", True),
        ("User message, number 3", True),
    ]


def test_versions__role_changed__is_shown_as_a_line() -> None:
    after = replace(BASE, messages=({"role": "developer", "content": "You are kind."}, BASE.messages[1]))
    first = diff_versions(BASE, after)[0]
    assert first.rows[0].before is not None
    assert first.rows[0].before.text == "role: system"


def test_blocks__long_unchanged_stretch__is_folded_with_context() -> None:
    lines = [str(number) for number in range(50)]
    section = diff_versions(
        VersionContent(messages=({"role": "user", "content": "\n".join(lines)},)),
        VersionContent(messages=({"role": "user", "content": "\n".join([*lines[:25], "new", *lines[25:]])},)),
    )[0]
    assert [len(block.rows) if isinstance(block, Gap) else 1 for block in section.blocks] == [
        22,
        *[1] * 7,
        22,
    ]


def test_lines__thousands__stay_quick() -> None:
    rows = diff_lines(["a" * 50] * 3_000, ["b" * 50] * 3_000)
    assert len(rows) == 3_000


LINES = st.lists(st.text(alphabet="ab {}\u00e9", max_size=12), max_size=12)


@given(LINES, LINES)
def test_lines__any_two_texts__can_be_rebuilt_from_the_rows(before: list[str], after: list[str]) -> None:
    rows = diff_lines(before, after)
    assert [row.before.text for row in rows if row.before] == before
    assert [row.after.text for row in rows if row.after] == after
    assert [row.before.number for row in rows if row.before] == list(range(1, len(before) + 1))
    lines = unified(rows)
    assert [line.side.text for line in lines if line.change != "removed"] == after
    assert [line.side.text for line in lines if line.change != "added"] == before
    assert all(isinstance(row, Row) for row in rows)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\n" * 99_000, "x\n" * 49_000),
        ("a\nb\n" * 1_200, "b\na\n" * 1_200),
        (("a b " * 240 + "\n") * 50, ("b a " * 240 + "\n") * 50),
    ],
    ids=["many lines", "equal lines", "equal words"],
)
def test_diff_lines__made_to_be_slow__is_told_line_by_line_in_time(before: str, after: str) -> None:
    started = time.process_time()
    rows = diff_lines(before.split("\n"), after.split("\n"))
    assert "changed" in {row.change for row in rows}
    assert time.process_time() - started < 2
