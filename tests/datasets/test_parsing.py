import csv
import io

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.datasets.parsing import BadRow, GoodRow, UnreadableFile, read_rows, sniff, with_choices

TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00\ufeff", exclude_categories=["Cs"]), max_size=30
)


def rows_of(content: bytes, chunk: int = 7) -> list[GoodRow | BadRow]:
    facts = sniff(content, whole=True)
    return list(read_rows([content[at : at + chunk] for at in range(0, len(content), chunk)], facts))


def values_of(content: bytes) -> list[dict[str, object]]:
    return [row.values for row in rows_of(content) if isinstance(row, GoodRow)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_sniff__delimiters_and_encodings__are_recognised(delimiter: str, encoding: str) -> None:
    target = io.StringIO()
    writer = csv.writer(target, delimiter=delimiter)
    writer.writerows([["name", "note"], ["Zoë", "one, two; three | four\tfive"], ["Ann", 'a "quoted"\nline']])
    content = target.getvalue().encode(encoding)
    facts = sniff(content, whole=True)
    assert (facts.format, facts.delimiter, facts.columns) == ("csv", delimiter, ("name", "note"))
    assert facts.encoding == {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}.get(encoding, encoding)
    assert facts.byte_order_mark is (encoding in {"utf-8-sig", "utf-16"})
    assert facts.quoted_newlines
    assert values_of(content) == [
        {"name": "Zoë", "note": "one, two; three | four\tfive"},
        {"name": "Ann", "note": 'a "quoted"\nline'},
    ]


@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=10), st.sampled_from([",", ";", "|"]))
def test_read_rows__anything_a_csv_writer_writes__comes_back(
    rows: list[tuple[str, str, str]], delimiter: str
) -> None:
    target = io.StringIO(newline="")
    writer = csv.writer(target, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b", "c"), *rows])
    content = target.getvalue().encode()
    facts = with_choices(
        sniff(content, whole=True), content, delimiter=delimiter, encoding="utf-8", has_header=True
    )
    read = list(read_rows([content], facts))
    assert [tuple(row.values.values()) for row in read if isinstance(row, GoodRow)] == rows
    assert not [row for row in read if isinstance(row, BadRow)]


def test_sniff__windows_1252__is_named() -> None:
    content = "name,city\nZoë,Köln\n".encode("windows-1252")
    assert sniff(content, whole=True).encoding == "windows-1252"
    assert values_of(content) == [{"name": "Zoë", "city": "Köln"}]


def test_sniff__head_cut_inside_a_character__stays_utf_8() -> None:
    content = ("name\n" + "é" * 100).encode()
    for cut in range(20, 26):
        assert sniff(content[:cut], whole=False).encoding == "utf-8"


def test_sniff__one_column__is_comma_separated() -> None:
    content = b"review\nGood, really\nBad\n"
    facts = sniff(b'review\n"Good, really"\nBad\n', whole=True)
    assert (facts.delimiter, facts.columns) == (",", ("review",))
    assert len(rows_of(content)) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf\n\n", "empty"),
        (b'[{"a": 1}]', "JSON array"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x01\x02", "not a text file"),
        (b"{not json}\n", "No line"),
        (",".join(f"c{n}" for n in range(300)).encode() + b"\n", "columns"),
    ],
)
def test_sniff__hopeless_file__says_why(content: bytes, words: str) -> None:
    with pytest.raises(UnreadableFile, match=words):
        sniff(content, whole=True)


def test_read_rows__ragged_and_broken_rows__are_bad_with_line_and_reason() -> None:
    content = b'a,b\n1,2\n3\n4,5,6\n"x"y,7\n\n8,"nine\nlines"\n"unclosed,10\n'
    rows = rows_of(content)
    assert [row.line for row in rows] == [2, 3, 4, 5, 7, 9]
    assert [isinstance(row, BadRow) for row in rows] == [False, True, True, True, False, True]
    bad = [row for row in rows if isinstance(row, BadRow)]
    assert bad[0].reason == "1 column instead of 2"
    assert bad[0].raw == "3"
    assert bad[1].raw == "4,5,6"
    assert "not valid CSV" in bad[2].reason


@pytest.mark.parametrize("content", [b"a,b\n1,\xff\xfe2\n3,4\n", b"a,b\n1,\x002\n3,4\n"])
def test_read_rows__bytes_that_are_no_text__make_a_bad_row(content: bytes) -> None:
    facts = sniff(b"a,b\n1,2\n3,4\n", whole=True)
    rows = list(read_rows([content], facts))
    assert isinstance(rows[0], BadRow)
    assert rows[1] == GoodRow(3, {"a": "3", "b": "4"})


def test_read_rows__half_a_utf_16_character_at_the_end__is_a_bad_row() -> None:
    content = "a,b\n1,2\n".encode("utf-16-le") + "3,4".encode("utf-16-le") + b"\x41"
    facts = sniff("a,b\n1,2\n".encode("utf-16-le"), whole=True)
    rows = list(read_rows([content], facts))
    assert isinstance(rows[0], GoodRow)
    assert isinstance(rows[1], BadRow)


def test_read_rows__jsonl__keeps_types_and_reports_bad_lines() -> None:
    lines = [b'{"a": 1, "b": [1, 2]}', b"[1]", b"{broken", b"", b'{"a": "\\u0000"}', b'{"b": {"c": null}}']
    rows = rows_of(b"\n".join(lines))
    assert [type(row) for row in rows] == [GoodRow, BadRow, BadRow, BadRow, GoodRow]
    assert sniff(b"\n".join(lines), whole=True).columns == ("a", "b")
    good = [row.values for row in rows if isinstance(row, GoodRow)]
    assert good == [{"a": 1, "b": [1, 2]}, {"b": {"c": None}}]


def test_read_rows__old_mac_line_ends__are_lines() -> None:
    assert values_of(b"a,b\r1,2\r3,4\r") == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_read_rows__line_separators_of_unicode__stay_inside_a_value() -> None:
    content = "a,b\n1,x\u2028y\u0085z\n".encode()
    assert values_of(content) == [{"a": "1", "b": "x\u2028y\u0085z"}]


def test_with_choices__no_header__names_columns_by_number() -> None:
    content = b"1;2\n3;4\n"
    facts = with_choices(
        sniff(content, whole=True), content, delimiter=";", encoding="utf-8", has_header=False
    )
    rows = list(read_rows([content], facts))
    assert facts.columns == ("column_1", "column_2")
    assert rows[0] == GoodRow(1, {"column_1": "1", "column_2": "2"})


def test_read_rows__a_field_over_the_cap__is_refused_and_reading_goes_on() -> None:
    content = b"a,b\n" + b"x" * (1024 * 1024 + 10) + b",1\n2,3\n"
    facts = sniff(b"a,b\n2,3\n", whole=True)
    rows = list(read_rows([content], facts))
    assert isinstance(rows[0], BadRow)
    assert len(rows[0].raw) <= 1000
    assert rows[-1] == GoodRow(3, {"a": "2", "b": "3"})


@given(st.lists(st.dictionaries(TEXT, st.one_of(TEXT, st.integers(-(2**40), 2**40), st.none())), min_size=1))
def test_read_rows__any_json_objects__come_back(objects: list[dict[str, object]]) -> None:
    content = b"\n".join(orjson.dumps(item) for item in objects)
    if not any(objects):
        return
    assert values_of(content) == objects
