import pytest

from apps.datasets.mapping import (
    ColumnMapping,
    MappingProblem,
    ValueProblem,
    check,
    convert,
    suggest,
    variable_name,
)


def test_suggest__variables_of_a_prompt__match_by_name_and_the_rest_is_metadata() -> None:
    mapping = suggest(("id", "Review", "category", "sentiment"), ["review"])
    assert [(item.column, item.role, item.name) for item in mapping] == [
        ("id", "metadata", "id"),
        ("Review", "variable", "review"),
        ("category", "metadata", "category"),
        ("sentiment", "expected", "expected"),
    ]


def test_suggest__no_prompt__makes_variables_of_unknown_columns() -> None:
    mapping = suggest(("Customer name", "2nd note", "id"))
    assert [(item.role, item.name) for item in mapping] == [
        ("variable", "customer_name"),
        ("variable", "column_2nd_note"),
        ("metadata", "id"),
    ]


def test_suggest__expected_label__is_the_expected_output() -> None:
    assert [item.role for item in suggest(("text", "Expected label"))] == ["variable", "expected"]


def test_suggest__samples_of_json__keep_their_types() -> None:
    samples: list[dict[str, object]] = [
        {"n": 1, "flag": True, "list": [1], "text": "a"},
        {"n": 2.5, "flag": None},
    ]
    types = {item.column: item.type for item in suggest(("n", "flag", "list", "text"), (), samples)}
    assert types == {"n": "number", "flag": "boolean", "list": "json", "text": "text"}


@pytest.mark.parametrize(
    ("column", "name"), [("Größe", "gr__e"), ("", "value"), ("  ", "value"), ("a b", "a_b")]
)
def test_variable_name__any_column__is_an_identifier(column: str, name: str) -> None:
    assert variable_name(column) == name


@pytest.mark.parametrize(
    "mapping",
    [
        [ColumnMapping("nope", "variable", "a")],
        [ColumnMapping("a", "variable", "not a name")],
        [ColumnMapping("a", "variable", "x"), ColumnMapping("b", "variable", "x")],
        [
            ColumnMapping("a", "variable", "a"),
            ColumnMapping("b", "expected", "b"),
            ColumnMapping("c", "expected", "c"),
        ],
        [ColumnMapping("a", "variable", "a"), ColumnMapping("a", "variable", "b")],
        [ColumnMapping("a", "metadata", "a")],
        [],
    ],
)
def test_check__impossible_mapping__is_refused(mapping: list[ColumnMapping]) -> None:
    with pytest.raises(MappingProblem):
        check(mapping, ("a", "b", "c"))


def test_convert__every_role_and_type__lands_in_its_place() -> None:
    mapping = (
        ColumnMapping("a", "variable", "text"),
        ColumnMapping("b", "variable", "number", "number"),
        ColumnMapping("c", "variable", "flag", "boolean"),
        ColumnMapping("d", "variable", "data", "json"),
        ColumnMapping("e", "expected", "expected"),
        ColumnMapping("f", "metadata", "f"),
        ColumnMapping("g", "ignore", "g"),
    )
    row = convert(
        {"a": " x ", "b": "2.5", "c": "Yes", "d": '{"k": [1]}', "e": "ok", "f": "m", "g": "gone"}, mapping
    )
    assert row.variables == {"text": " x ", "number": 2.5, "flag": True, "data": {"k": [1]}}
    assert (row.expected, row.metadata) == ("ok", {"f": "m"})


@pytest.mark.parametrize(
    ("text", "column_type"),
    [("abc", "number"), ("NaN", "number"), ("true", "number"), ("maybe", "boolean"), ("{", "json")],
)
def test_convert__value_of_another_type__names_column_and_value(text: str, column_type: str) -> None:
    mapping = (ColumnMapping("a", "variable", "a", column_type),)  # type: ignore[arg-type]
    with pytest.raises(ValueProblem, match=r"column 'a'"):
        convert({"a": text}, mapping)


def test_convert__empty_cell__is_no_value_except_for_text() -> None:
    assert convert({"a": ""}, (ColumnMapping("a", "variable", "a", "number"),)).variables == {"a": None}
    assert convert({"a": ""}, (ColumnMapping("a", "variable", "a"),)).variables == {"a": ""}
    assert convert({"a": ""}, (ColumnMapping("a", "expected", "e"),)).expected is None
