"""Odd files: imported right, or refused by name of the line and the reason."""

import gzip
import io
import zipfile
from typing import Any

import pytest

from apps.audit.actor import SYSTEM
from apps.core.errors import InvalidRequest
from apps.core.scope import organization_scope
from apps.datasets import queries, services
from apps.datasets.parsing import BadRow, UnreadableFile, measure, read_rows, sniff
from apps.tenants.models import Project
from tests.factories import make_dataset_import, make_project

TABLE = "name,city\nZoë,Köln\nBob,\n"
ROWS = [{"name": "Zoë", "city": "Köln"}, {"name": "Bob", "city": ""}]


def read(content: bytes) -> tuple[Any, list[dict[str, Any]], list[tuple[int, str]]]:
    """The facts, the good rows, and the bad ones with line and reason."""
    facts = measure([content], sniff(content[: 256 * 1024], whole=len(content) <= 256 * 1024))
    rows = list(read_rows([content], facts))
    good = [row.values for row in rows if not isinstance(row, BadRow)]
    return facts, good, [(row.line, row.reason) for row in rows if isinstance(row, BadRow)]


@pytest.mark.parametrize(
    ("content", "encoding", "delimiter"),
    [
        (TABLE.replace(",", ";").encode(), "utf-8", ";"),
        (TABLE.replace(",", "\t").encode(), "utf-8", "\t"),
        (TABLE.replace(",", "|").encode(), "utf-8", "|"),
        (TABLE.encode("utf-8-sig"), "utf-8", ","),
        (TABLE.encode("utf-16"), "utf-16-le", ","),
        (b"\xfe\xff" + TABLE.encode("utf-16-be"), "utf-16-be", ","),
        (TABLE.encode("utf-16-le"), "utf-16-le", ","),
        (TABLE.encode("utf-16-be"), "utf-16-be", ","),
        (TABLE.encode("latin-1"), "windows-1252", ","),
        (TABLE.replace("\n", "\r\n").encode(), "utf-8", ","),
        (TABLE.replace("\n", "\r").encode(), "utf-8", ","),
        (TABLE.replace("\n", "\r\n", 1).encode(), "utf-8", ","),
        (("\n\n" + TABLE).encode(), "utf-8", ","),
    ],
)
def test_dialect__is_recognised__and_every_value_is_right(
    content: bytes, encoding: str, delimiter: str
) -> None:
    facts, good, bad = read(content)
    assert (facts.encoding, facts.delimiter, facts.rows) == (encoding, delimiter, 2)
    assert (good, bad) == (ROWS, [])


def _zip(name: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"0" * 1_000_000)
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_zip("bomb.csv"), "ZIP archive or an Excel workbook"),
        (_zip("xl/workbook.xml"), "ZIP archive or an Excel workbook"),
        (gzip.compress(b"0" * 1_000_000), "gzip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100, "old Excel workbook"),
        (b"%PDF-1.7\n", "PDF"),
        (b"PAR1....", "Parquet"),
        ("a\n1\n".encode("utf-32"), "UTF-32"),
        (b"a,b\n1,2\n3,\x004\n", "Line 3 holds a NUL character"),
        (b"", "empty"),
        (b" \n\r\n", "empty"),
        (b"\xff\xfe", "empty"),
        (",".join(f"c{n}" for n in range(201)).encode() + b"\n", "201 columns; 200 is the limit"),
        (b'[{"a": 1}]', "JSON array"),
    ],
)
def test_hopeless_file__is_refused__by_name(content: bytes, words: str) -> None:
    with pytest.raises(UnreadableFile, match=words):
        read(content)


def test_ragged_rows__are_left_out__with_line_and_reason() -> None:
    _, good, bad = read(b'a,b\n1,2\n3\n4,5,6\n"two\nlines",7\n8\n')
    assert good == [{"a": "1", "b": "2"}, {"a": "two\nlines", "b": "7"}]
    assert bad == [
        (3, "1 column instead of 2"),
        (4, "3 columns instead of 2"),
        (7, "1 column instead of 2"),
    ]


def test_field_of_ten_megabytes__is_left_out__and_its_lines_are_no_rows() -> None:
    content = b'a,b\n1,2\n"' + b"x,y\n" * 2_500_000 + b'",3\n4,5\n'
    _, good, bad = read(content)
    assert good == [{"a": "1", "b": "2"}, {"a": "4", "b": "5"}]
    assert bad == [(3, "column 'a' holds 10,000,000 characters; 1,048,576 is the limit")]


def test_nul_and_undecodable_bytes_deep_in_a_row__are_found() -> None:
    long = b"x" * 5_000
    head = b"a,b\n" + b"1,2\n" * 70_000
    _, good, bad = read(head + long + b"\x00,2\n" + long + b"\xff,2\n" + b"3,4\n")
    assert len(good) == 70_001
    assert bad == [
        (70_002, "it holds a NUL character"),
        (70_003, "it holds bytes that are no text in this encoding"),
    ]


def test_header__empty_and_repeated_names__are_named_visibly() -> None:
    facts, good, _ = read(b",a,a, b ,column_1\n1,2,3,4,5\n")
    assert facts.columns == ("column_1_2", "a", "a_2", "b", "column_1")
    assert facts.renamed == ((1, "", "column_1_2"), (3, "a", "a_2"))
    assert list(good[0].values()) == ["1", "2", "3", "4", "5"]


def test_formulas__are_text__and_stay_what_they_are() -> None:
    _, good, _ = read(b'a,b\n=1+1,"=HYPERLINK(""x"")"\n+49,-7\n')
    assert good == [{"a": "=1+1", "b": '=HYPERLINK("x")'}, {"a": "+49", "b": "-7"}]


def test_jsonl__mixed_nested_blank_and_broken_lines__are_told_apart() -> None:
    content = (
        b'{"a": 1, "n": {"x": [1, null]}}\n\n   \n{"a": "text"}\n{"a": }\n[1]\n"x"\n'
        b'{"a": "\\ud800"}\n{"a": "\\u0000"}\n{"a": "\\\\u0000"}\n{"a": 123456789012345678901234}\n'
        b'{"late": true}\n'
    )
    facts, good, bad = read(content)
    assert good == [
        {"a": 1, "n": {"x": [1, None]}},
        {"a": "text"},
        {"a": "\\u0000"},
        {"late": True},
    ]
    assert facts.columns == ("a", "n", "late")
    assert [line for line, _ in bad] == [5, 6, 7, 8, 9, 11]
    assert bad[1][1] == "not a JSON object"
    assert "not valid JSON" in bad[0][1]
    assert "NUL" in bad[4][1]
    assert "64 bits" in bad[5][1]


def test_repeated_rows__are_counted__and_kept() -> None:
    facts, good, _ = read(b"a,b\n1,2\n1,2\n2,1\n1,2\n")
    assert (facts.rows, facts.repeated_rows, len(good)) == (4, 2, 4)


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.mark.django_db
def test_jsonl__column_of_mixed_types__keeps_each_value(project: Project) -> None:
    waiting = make_dataset_import(project=project, content=b'{"v": "5"}\n{"v": 5}\n{"v": [5]}\n{"v": null}\n')
    with organization_scope(project.organization_id):
        version = services.import_rows(
            actor=SYSTEM,
            dataset_import=waiting,
            dataset_name="Mixed",
            mapping=queries.import_mapping(waiting),
        )
        assert [row.variables["v"] for row in queries.list_rows(version)] == ["5", 5, [5], None]
        assert (version.row_count, version.problem_count) == (4, 0)


@pytest.mark.django_db
def test_file__too_many_rows__is_refused_with_the_limit(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.datasets.services.uploading.MAX_ROWS", 100)
    with pytest.raises(InvalidRequest) as refused:
        make_dataset_import(project=project, content=b"a,b\n" + b"1,2\n" * 101)
    assert (refused.value.code, "100 rows" in refused.value.message) == ("too_many_rows", True)


@pytest.mark.parametrize("depth", [65, 300, 900])
def test_jsonl__nested_too_deep_to_be_written_again__is_left_out(depth: int) -> None:
    deep = '{"a":' + "[" * depth + "1.5" + "]" * depth + "}"
    _, good, bad = read(f'{{"a": "fine"}}\n{deep}\n'.encode())
    assert good == [{"a": "fine"}]
    assert [(line, "nested deeper" in why) for line, why in bad] == [(2, True)]


def test_jsonl__number_of_five_thousand_digits__is_left_out() -> None:
    _, good, bad = read(b'{"a": 1}\n{"a": ' + b"9" * 5000 + b"}\n")
    assert (good, [line for line, _ in bad]) == ([{"a": 1}], [2])
