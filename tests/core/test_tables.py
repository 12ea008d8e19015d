"""Lists: paging by cursor, filters, choice of columns, selection and export, over API keys as rows."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
import pytest
from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.scope import organization_scope
from apps.core.streaming import ended_honestly
from apps.core.tables import (
    Asked,
    Column,
    Filter,
    FilterKind,
    Listing,
    Table,
    export_answer,
    page_of,
    table_named,
)
from apps.core.tables.asking import Cursor
from apps.tenants.models import APIKey, Project
from tests.factories import make_batch, make_project, owner_of
from tests.factories.registry import numbers

pytestmark = pytest.mark.django_db(transaction=True)

KEYS: Final = Table[APIKey, APIKey](
    key="test-keys",
    prefix=APIKey.PREFIX,
    noun=("key", "keys"),
    search="Search keys",
    default_sort="-made",
    page_rows=3,
    filters=(
        Filter("mode", "Mode", [("live", "Live"), ("test", "Test")]),
        Filter("since", "Made since", kind=FilterKind.DATE),
        Filter("maker", "Made by", kind=FilterKind.TEXT),
        Filter("label", "Label"),
    ),
    columns=(
        Column("id", "Id", lambda key: key.public_id, export_only=True),
        Column("name", "Name", lambda key: key.name, sort=Lower("name"), always=True),
        Column("last_used", "Last used", lambda key: key.last_used_at, sort="last_used_at", nullable=True),
        Column("scopes", "Scopes", lambda key: key.scopes, default=False),
        Column("made", "Made", lambda key: key.created_at, sort="id"),
    ),
)
ORDERS: Final = ("name", "-name", "last_used", "-last_used", "made", "-made")

ROW = UUID(int=1)


def make_keys(project: Project, count: int = 11) -> list[APIKey]:
    """Keys of which several share a name or a time of last use, and some were never used."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    keys = [
        APIKey(
            organization_id=project.organization_id,
            project=project,
            name="Aab"[number % 3] if number else "=HYPERLINK(1)",
            key_id=f"{next(numbers):012}",
            digest=bytes(32),
            last_four="abcd",
            scopes=["read", "run"],
            livemode=number % 2 == 0,
            last_used_at=None if number % 3 == 0 else start + timedelta(days=number % 4),
        )
        for number in range(count)
    ]
    with organization_scope(project.organization_id):
        APIKey.objects.bulk_create(keys)
    return keys


def asked_for(query: str) -> Asked:
    return KEYS.read(QueryDict(query.lstrip("?")))


def expected(keys: list[APIKey], sort: str) -> list[APIKey]:
    values: dict[str, Any] = {
        "name": lambda key: (key.name.lower(), key.id),
        "last_used": lambda key: (key.last_used_at, key.id),
        "made": lambda key: key.id,
    }
    column, down = sort.lstrip("-"), sort.startswith("-")
    missing = [key for key in keys if column == "last_used" and key.last_used_at is None]
    filled = [key for key in keys if key not in missing]
    return sorted(filled, key=values[column], reverse=down) + sorted(
        missing, key=lambda key: key.id, reverse=down
    )


def walk(rows: QuerySet[APIKey], address: str, link: str) -> Iterator[Listing[APIKey]]:
    for _ in range(20):
        page = page_of(KEYS, asked_for(address), rows)
        yield page
        address = getattr(page, link)
        if not address:
            return
    raise AssertionError("the pages never end")


@pytest.mark.parametrize("sort", ORDERS)
def test_pages__ties_and_missing_values__every_row_once_both_ways(sort: str) -> None:
    project = make_project()
    keys = make_keys(project)
    with organization_scope(project.organization_id):
        rows = APIKey.objects.all()
        pages = list(walk(rows, f"?sort={sort}", "next"))
        assert [key for page in pages for key in page.items] == expected(keys, sort)
        assert not pages[0].previous
        back = list(walk(rows, pages[-2].next, "previous"))
    assert [key for page in reversed(back) for key in page.items] == expected(keys, sort)


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "é",
        "W10",
        "WzEsMiwzXQ",
        Cursor("-last_used", "no time", ROW).token(),
        Cursor("-last_used", "a\0b", ROW).token(),
        Cursor("-last_used", 7, ROW).token(),  # type: ignore[arg-type]
        Cursor("name", "a", ROW).token(),
    ],
)
def test_cursor__broken_or_of_another_order__is_the_first_page(token: str) -> None:
    project = make_project()
    keys = make_keys(project)
    with organization_scope(project.organization_id):
        query = QueryDict(mutable=True)
        query.update({"sort": "-last_used", "after": token})
        page = page_of(KEYS, KEYS.read(query), APIKey.objects.all())
    assert list(page.items) == expected(keys, "-last_used")[:3]


def test_read__unknown_values__left_out_of_the_page_and_refused_by_an_export() -> None:
    asked = asked_for("?mode=nonsense&sort=secret&since=31.12.2026&id=key_x&export=exe&label=x&maker=anna")
    assert asked.filters == {"mode": "", "since": "", "maker": "anna", "label": ""}
    assert asked.order.sign == "-made"
    assert set(asked.refused) == {"mode", "sort", "since", "id", "export", "label"}
    with pytest.raises(InvalidRequest, match="mode"):
        asked.check()


def test_read__choices_that_depend_on_data__are_taken() -> None:
    asked = KEYS.read(QueryDict("label=blue"), choices={"label": [("blue", "Blue")]})
    assert asked.filters["label"] == "blue"


def test_listing__search_filter_and_order__stand_in_every_address() -> None:
    project = make_project()
    make_keys(project)
    with organization_scope(project.organization_id):
        page = page_of(KEYS, asked_for("?q=a+b&mode=live&sort=name"), APIKey.objects.all())
    for address in (page.next, page.choose_all, page.count_address, page.exports[0][1]):
        assert {"q=a+b", "mode=live", "sort=name"} <= set(address.lstrip("?").split("&"))
    assert [(chip.title, chip.value, chip.href) for chip in page.chips] == [
        ("Mode", "Live", "?q=a+b&sort=name")
    ]
    assert page.clear == "?sort=name"
    directions = {head.key: head.direction for head in page.heads}
    assert directions == {"name": "ascending", "last_used": "", "made": ""}


def test_columns__chosen_unknown_or_none__always_ones_stay() -> None:
    def titles(chosen: object) -> list[str]:
        return [column.key for column in KEYS.shown(chosen)]

    assert titles(None) == ["name", "last_used", "made"]
    assert titles([]) == ["name"]
    assert titles(["scopes", "gone"]) == ["name", "scopes"]
    with pytest.raises(InvalidRequest, match="'gone'"):
        KEYS.check_columns(["gone"])
    with pytest.raises(NotFound):
        table_named("nowhere")


def test_selected__ids_or_all_that_match__never_another_tenants() -> None:
    project, other = make_project(), make_project()
    keys, strange = make_keys(project), make_keys(other, 1)[0]
    with organization_scope(project.organization_id):
        rows = APIKey.objects.all()
        some = asked_for(f"?id={keys[1].public_id}&id={strange.public_id}")
        assert list(some.selected(rows)) == [keys[1]]
        assert asked_for("?select=all").selected(rows).count() == len(keys)
        with pytest.raises(InvalidRequest, match="at least one"):
            asked_for("").selected(rows)
        with pytest.raises(InvalidRequest, match="mode"):
            asked_for("?select=all&mode=wrong").selected(rows)
    with pytest.raises(Conflict):
        asked_for("?select=all&matching=4").check_matching(5)
    assert list(some.selection()) == [("id", keys[1].public_id), ("id", strange.public_id)]


def download(project: Project, query: str) -> bytes:
    with organization_scope(project.organization_id):
        rows = APIKey.objects.filter(livemode=True) if "mode=live" in query else APIKey.objects.all()
        answer = export_answer(KEYS, asked_for(query), rows, organization_id=project.organization_id)
    return answer.getvalue()


def test_export__more_than_a_chunk__exactly_what_matches_with_all_columns() -> None:
    project = make_project()
    make_keys(make_project(), 5)
    keys = make_keys(project, 1203)
    live = sorted((key for key in keys if key.livemode), key=lambda key: key.id, reverse=True)
    formula = next(number for number, key in enumerate(live) if key.id == keys[0].id)

    lines = list(csv.DictReader(io.StringIO(download(project, "?export=csv&mode=live").decode())))

    assert [line["id"] for line in lines] == [key.public_id for key in live]
    assert lines[formula] == {
        "id": keys[0].public_id,
        "name": "'=HYPERLINK(1)",
        "last_used": "",
        "scopes": '["read","run"]',
        "made": keys[0].created_at.isoformat().replace("+00:00", "Z"),
    }


def test_export__json_lines_of_chosen_rows__typed_and_raw() -> None:
    project = make_project()
    keys = make_keys(project)
    text = download(project, f"?export=jsonl&id={keys[0].public_id}&id={keys[1].public_id}")
    objects = {each["id"]: each for each in map(orjson.loads, text.splitlines())}
    assert objects.keys() == {keys[0].public_id, keys[1].public_id}
    assert objects[keys[0].public_id]["name"] == "=HYPERLINK(1)"
    assert objects[keys[0].public_id]["last_used"] is None
    assert objects[keys[1].public_id]["scopes"] == ["read", "run"]


def test_export__for_a_spreadsheet__begins_with_the_byte_order_mark() -> None:
    project = make_project()
    assert download(project, "?export=csv-bom") == b"\xef\xbb\xbfid,name,last_used,scopes,made\r\n"


def test_stream__that_fails_halfway__says_that_it_is_incomplete() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"a,b\r\n"
        raise RuntimeError("the database is away")

    text = b"".join(ended_honestly(chunks(), "csv")).decode()
    assert text.startswith("a,b\r\nINCOMPLETE,This file is incomplete")
    last = b"".join(ended_honestly(chunks(), "jsonl")).splitlines()[-1]
    assert orjson.loads(last)["error"]["code"] == "incomplete_file"


def test_list_page__columns_count_and_choice__by_plain_forms(client: Client) -> None:
    project = make_project()
    owner = owner_of(project.organization)
    client.force_login(owner)
    batches = [make_batch(project=project, rows=1) for _ in range(2)]
    room = f"/{project.organization.slug}/{project.slug}/batches/"

    answer = client.post("/profile/tables/batches/", {"column": ["model", "status"], "next": f"{room}?q=a"})
    assert answer.headers["Location"] == f"{room}?q=a"
    owner.refresh_from_db()
    assert owner.table_columns == {"batches": ["status", "model"]}
    page = client.get(room).content.decode()
    assert "sandbox/" in page
    assert 'data-label="Cost"' not in page
    assert client.post("/profile/tables/batches/", {"column": "secret"}).status_code == 400
    assert client.post("/profile/tables/nothing/", {}).status_code == 404
    outside = client.post("/profile/tables/batches/", {"usual": "1", "next": "https://elsewhere.example/"})
    assert outside.headers["Location"] == "/"
    owner.refresh_from_db()
    assert owner.table_columns == {}

    assert client.get(f"{room}?count=1").content == b"2"
    assert "All 2 chosen" in client.get(f"{room}?select=all").content.decode()
    assert client.get(f"{room}?select=all&status=odd").status_code == 400
    text = client.get(f"{room}?export=csv").getvalue().decode()
    exported = {line.split(",")[0] for line in text.splitlines()[1:]}
    assert exported == {batch.public_id for batch in batches}


def test_list_page__one_and_many_rows__same_number_of_queries(client: Client) -> None:
    project = make_project()
    client.force_login(owner_of(project.organization))
    room = f"/{project.organization.slug}/{project.slug}/batches/?sort=-ended"

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            client.get(room)
        return len(captured)

    make_batch(project=project, rows=1)
    client.get(room)
    one = queries()
    for _ in range(3):
        make_batch(project=project, rows=1)
    assert queries() == one <= 15
