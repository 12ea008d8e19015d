"""What goes in comes out again: the export of an imported file equals the file."""

import csv
import io
import json
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.audit.actor import SYSTEM
from apps.core.scope import organization_scope
from apps.datasets import queries, services
from apps.datasets.exporting import ExportFormat, csv_record, export_file
from apps.datasets.mapping import ColumnMapping
from apps.datasets.models import DatasetVersion
from apps.tenants.models import Project
from tests.factories import make_dataset_import, make_project

pytestmark = pytest.mark.django_db

texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12
) | st.sampled_from(
    [
        "",
        " ",
        "007",
        "1.50",
        "=1+1",
        "+49",
        "-",
        "@x",
        "a,b",
        'say "hi"',
        "two\nlines",
        "two\r\nlines",
        "\r",
        "\ufeff",
    ]
)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts
numbers = st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    scalars | numbers,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(texts, min_size=width, max_size=width), min_size=1, max_size=6)
)
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def project() -> Project:
    return make_project()


def imported(project: Project, content: bytes, **roles: str) -> DatasetVersion:
    waiting = make_dataset_import(project=project, content=content)
    with organization_scope(project.organization_id):
        mapping = [
            ColumnMapping(item.column, roles.get(item.column, item.role), item.name, item.type)  # type: ignore[arg-type]
            for item in queries.import_mapping(waiting)
        ]
        return services.import_rows(
            actor=SYSTEM, dataset_import=waiting, dataset_name="Round trip", mapping=mapping
        )


def exported(version: DatasetVersion, format: ExportFormat) -> bytes:  # noqa: A002
    return b"".join(export_file(version, format).chunks)


def csv_bytes(rows: list[list[str]]) -> bytes:
    return "".join(csv_record(row) for row in rows).encode()


@given(table=tables)
@few
def test_csv__any_table__comes_back_byte_for_byte(project: Project, table: list[list[str]]) -> None:
    header = [f"column {number}" for number in range(len(table[0]))]
    content = csv_bytes([header, *table])
    assert exported(imported(project, content), "csv") == content


@given(
    rows=st.lists(
        st.dictionaries(st.sampled_from(["a", "b", "c"]), values, min_size=1), min_size=1, max_size=6
    )
)
@few
def test_jsonl__any_objects__come_back_byte_for_byte(project: Project, rows: list[dict[str, Any]]) -> None:
    content = b"".join(orjson.dumps(row) + b"\n" for row in rows)
    assert exported(imported(project, content, a="variable"), "jsonl") == content


@pytest.mark.parametrize("role", ["variable", "metadata", "expected", "ignore"])
def test_csv__every_role_and_odd_header__comes_back(project: Project, role: str) -> None:
    content = csv_bytes([["x", "", " padded ", "x"], ["007", "=1+1", "a\r\nb", ""], ["", "", "", "é"]])
    assert exported(imported(project, content, column_2=role), "csv") == content


def test_csv__typed_columns__keep_what_the_file_said(project: Project) -> None:
    content = b"text,price,yes\na,1.50,yes\nb,,no\nc,2,true\n"
    waiting = make_dataset_import(project=project, content=content)
    mapping = [
        ColumnMapping("text", "variable", "text"),
        ColumnMapping("price", "variable", "price", "number"),
        ColumnMapping("yes", "metadata", "yes", "boolean"),
    ]
    with organization_scope(project.organization_id):
        version = services.import_rows(
            actor=SYSTEM, dataset_import=waiting, dataset_name="Typed", mapping=mapping
        )
        assert [row.variables["price"] for row in queries.list_rows(version)] == [1.5, None, 2]
    assert exported(version, "csv") == content
    assert [json.loads(line) for line in exported(version, "jsonl").splitlines()] == [
        {"text": "a", "price": 1.5, "yes": True},
        {"text": "b", "price": None, "yes": False},
        {"text": "c", "price": 2, "yes": True},
    ]


def test_csv__without_header__comes_back_without(project: Project) -> None:
    content = b"1,2\n3,4\n"
    waiting = make_dataset_import(project=project, content=content)
    with organization_scope(project.organization_id):
        services.choose_format(
            actor=SYSTEM, dataset_import=waiting, delimiter=",", encoding="utf-8", has_header=False
        )
        version = services.import_rows(
            actor=SYSTEM,
            dataset_import=waiting,
            dataset_name="Bare",
            mapping=queries.import_mapping(waiting),
        )
    assert version.row_count == 2
    assert exported(version, "csv") == content


def test_csv__other_dialect__comes_back_with_the_same_content(project: Project) -> None:
    content = 'name;city\r\n"Zoë";"Köln; am Rhein"\r\n'.encode("utf-16")
    found = csv.reader(io.StringIO(exported(imported(project, content), "csv").decode(), newline=""))
    assert list(found) == [["name", "city"], ["Zoë", "Köln; am Rhein"]]


def test_csv__only_a_header__is_an_empty_dataset_and_comes_back(project: Project) -> None:
    version = imported(project, b"review,sentiment\n")
    assert (version.row_count, exported(version, "csv")) == (0, b"review,sentiment\n")


def test_jsonl__numbers_and_missing__keep_type_and_absence(project: Project) -> None:
    content = (
        b'{"id":1,"v":"","label":"x"}\n{"v":null}\n{"v":1.0}\n{"v":-0.0}\n{"v":1e+300}\n'
        b'{"label":{"b":1,"aa":2},"v":{"bb":1,"a":[1,"1",true]}}\n{"v":12345678901234567}\n'
    )
    version = imported(project, content)
    assert exported(version, "jsonl") == content


def test_jsonl__as_csv__has_nested_values_as_json(project: Project) -> None:
    version = imported(project, b'{"a":[1,2],"b":null}\n{"a":"plain"}\n')
    assert exported(version, "csv") == b'a,b\n"[1,2]",\nplain,\n'


def test_spreadsheet__formulas__are_defused_only_there(project: Project) -> None:
    content = csv_bytes([["a"], ["=HYPERLINK(1)"], ["-5"], ["@x"]])
    version = imported(project, content)
    assert exported(version, "spreadsheet").decode() == "\ufeffa\n'=HYPERLINK(1)\n-5\n'@x\n"
    assert exported(version, "csv") == content
