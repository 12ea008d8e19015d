"""Point 10: a semicolon, BOM, UTF-16 or quoted-newline CSV is imported correctly; nothing is guessed
invisibly; upload(download(dataset)) is identical. Through the pages, without JavaScript."""

import csv
import io
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.tenants.models import Project
from tests.factories import make_project, owner_of

pytestmark = pytest.mark.django_db

TABLE = [["name", "note"], ["Zoë", 'two\nlines, and "quotes"; too'], ["007", "=1+1"], ["", " x "]]


def text_of(delimiter: str) -> str:
    target = io.StringIO()
    csv.writer(target, delimiter=delimiter, lineterminator="\n").writerows(TABLE)
    return target.getvalue()


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def web(client: Client, project: Project) -> Client:
    client.force_login(owner_of(project.organization))
    return client


def upload(web: Client, project: Project, content: bytes) -> str:
    address = f"/{project.organization.slug}/{project.slug}/datasets/new/"
    answer = web.post(address, {"file": SimpleUploadedFile("odd.csv", content)})
    assert answer.status_code == 302, answer.content.decode()
    return str(answer.headers["Location"])


def import_all(web: Client, mapping: str, name: str) -> str:
    data = {"dataset": name}
    for number in range(2):
        data |= {f"role_{number}": "variable", f"name_{number}": f"v{number}", f"type_{number}": "text"}
    answer = web.post(mapping, data)
    assert answer.status_code == 302, answer.content.decode()
    return str(answer.headers["Location"])


def download(web: Client, dataset: str, name: str) -> bytes:
    answer = web.get(f"{dataset}download/?format={name}")
    assert "attachment" in answer.headers["Content-Disposition"]
    return b"".join(answer.streaming_content)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        (text_of(";").encode(), ("semicolon-separated", "UTF-8")),
        (text_of(",").encode("utf-8-sig"), ("comma-separated", "UTF-8 with byte order mark")),
        (text_of("\t").encode("utf-16"), ("tab-separated", "UTF-16-LE with byte order mark")),
        (text_of("|").encode("windows-1252"), ("vertical bar-separated", "WINDOWS-1252")),
    ],
)
def test_point_10__odd_file__is_shown_imported_and_comes_back_identical(
    web: Client, project: Project, content: bytes, facts: tuple[str, str]
) -> None:
    mapping = upload(web, project, content)
    page = web.get(mapping).content.decode()
    for fact in (*facts, "3 rows", "2 columns", "line breaks inside quotes", "All 3 rows"):
        assert fact in page, fact
    assert re.search(r'<select[^>]*name="delimiter"', page)
    assert re.search(r'<select[^>]*name="encoding"', page)
    dataset = import_all(web, mapping, "Odd")
    first = download(web, dataset, "csv")
    assert list(csv.reader(io.StringIO(first.decode(), newline=""))) == TABLE
    again = import_all(web, upload(web, project, first), "Odd again")
    assert download(web, again, "csv") == first
    assert download(web, again, "jsonl") == download(web, dataset, "jsonl")
    versions = web.get(f"{dataset}download/").content.decode()
    original = re.search(r'href="([^"]+/original/)"', versions)
    assert original is not None
    assert b"".join(web.get(original[1]).streaming_content) == content  # type: ignore[attr-defined]


def test_point_10__wrong_guess__is_changed_by_a_person(web: Client, project: Project) -> None:
    mapping = upload(web, project, b"a,b;c\n1,2;3\n4,5;6\n")
    web.post(f"{mapping}format/", {"delimiter": ";", "encoding": "windows-1252", "has_header": ""})
    page = web.get(mapping).content.decode()
    assert "semicolon-separated" in page
    assert "WINDOWS-1252" in page
    assert "3 rows" in page
