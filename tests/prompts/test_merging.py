"""Two people's changes put together: what merges by itself, what overlaps, and that nothing is lost."""

from dataclasses import replace
from typing import Any

import pytest

from apps.prompts.drafting import TypedPrompt, TypedVariable, from_content, from_json
from apps.prompts.merging import merge, merge_lines
from tests.factories import make_content

BASE = TypedPrompt(
    messages=(("system", "one\ntwo\nthree\nfour"), ("user", "{{ a }}")),
    variables=(TypedVariable("a"),),
    model="sandbox/standard",
    parameters={"temperature": "0.2"},
)


def edited(**change: Any) -> TypedPrompt:
    return replace(BASE, **change)


@pytest.mark.parametrize(
    ("base", "theirs", "mine", "origins", "result"),
    [
        ("abcde", "aBcde", "abcdE", ["base", "theirs", "base", "mine"], "aBcdE"),
        ("abc", "abc", "abc", ["base"], "abc"),
        ("abc", "axc", "axc", ["base", "equal", "base"], "axc"),
        ("abc", "axc", "ayc", ["base", "overlap", "base"], "ayc"),
        ("abc", "ac", "abc", ["base", "theirs", "base"], "ac"),
        ("abc", "", "abcd", ["overlap"], "abcd"),
        ("", "x", "y", ["overlap"], "y"),
        ("abc", "abc1", "0abc", ["mine", "base", "theirs"], "0abc1"),
    ],
)
def test_merge_lines__two_sides__are_told_apart(
    base: str, theirs: str, mine: str, origins: list[str], result: str
) -> None:
    chunks = merge_lines(base, theirs, mine)
    assert [chunk.origin for chunk in chunks] == origins
    assert (
        "".join(line for chunk in chunks for line in chunk.taken("mine") if isinstance(line, str)) == result
    )


def test_merge__changes_apart__are_both_taken() -> None:
    theirs = edited(messages=(("system", "ONE\ntwo\nthree\nfour"), ("user", "{{ a }}")), model="sandbox/fast")
    mine = edited(
        messages=(("system", "one\ntwo\nthree\nFOUR"), ("user", "{{ a }}"), ("assistant", "Yes")),
        parameters={"temperature": "0.2", "top_p": "1"},
    )
    merged = merge(BASE, theirs, mine)
    assert merged.overlaps == ()
    result = merged.result({})
    assert result.messages == (
        ("system", "ONE\ntwo\nthree\nFOUR"),
        ("user", "{{ a }}"),
        ("assistant", "Yes"),
    )
    assert (result.model, result.parameters) == ("sandbox/fast", {"temperature": "0.2", "top_p": "1"})


def test_merge__same_place__is_an_overlap_and_both_keeps_everything() -> None:
    theirs = edited(messages=(("system", "one\nTHEIRS\nthree\nfour"), ("user", "{{ a }}")))
    mine = edited(messages=(("system", "one\nMINE\nthree\nfour"), ("user", "{{ a }}")))
    merged = merge(BASE, theirs, mine)
    (overlap,) = merged.overlaps
    texts = {
        choice: merged.result({overlap.key: choice}).messages[0][1] for choice in ("mine", "theirs", "both")
    }
    assert texts == {
        "mine": "one\nMINE\nthree\nfour",
        "theirs": "one\nTHEIRS\nthree\nfour",
        "both": "one\nTHEIRS\nMINE\nthree\nfour",
    }


def test_merge__message_removed_there_and_edited_here__is_an_overlap() -> None:
    theirs = edited(messages=(("user", "{{ a }}"),))
    mine = edited(messages=(("system", "one\ntwo\nthree\nFOUR"), ("user", "{{ a }}")))
    (overlap,) = merge(BASE, theirs, mine).overlaps
    assert merge(BASE, theirs, mine).result({}).messages == mine.messages
    assert merge(BASE, theirs, mine).result({overlap.key: "theirs"}).messages == theirs.messages


def test_merge__variable_changed_on_both_sides__is_chosen_and_keeps_its_sample() -> None:
    theirs = edited(variables=(TypedVariable("a", "number"), TypedVariable("b")))
    mine = edited(variables=(TypedVariable("a", "json", sample="{}"),))
    merged = merge(BASE, theirs, mine)
    assert [each.key for each in merged.overlaps] == ["variables.a"]
    assert [each.type for each in merged.result({}).variables] == ["json", "text"]
    chosen = merged.result({"variables.a": "theirs"}).variables
    assert [(each.name, each.type, each.sample) for each in chosen] == [
        ("a", "number", "{}"),
        ("b", "text", ""),
    ]


def test_merge__schema_in_another_order__is_no_change() -> None:
    base = edited(output_schema='{"a": 1, "b": 2}')
    theirs = edited(output_schema='{"b":2,"a":1}')
    assert merge(base, theirs, base).overlaps == ()


def test_typed__json__gives_the_same_again_and_forgives_nonsense() -> None:
    typed = from_content(
        make_content("{{ a }}", system="s", parameters={"stop": ["x"], "temperature": 0.5}, output_schema={})
    )
    assert from_json(typed.as_json()) == typed
    assert from_json({"messages": "x", "variables": [3], "parameters": [], "model": 1}) == TypedPrompt(())
