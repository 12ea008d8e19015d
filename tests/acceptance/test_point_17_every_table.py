"""Point 17 for every list: search, filters, order, choice of columns and rows, export, all by address."""

import csv
import io
from collections.abc import Callable
from typing import Any, Final

import pytest
from django.test import Client
from django.urls import get_resolver

from apps.core.tables import table_named
from apps.core.tables.declaring import registered
from apps.tenants.models import Project
from tests.factories import (
    make_api_key,
    make_batch,
    make_dataset_version,
    make_project,
    make_prompt,
    make_run,
    owner_of,
)

pytestmark = pytest.mark.django_db(transaction=True)

# Where each list stands, and how to get a row into it.
PLACES: Final[dict[str, tuple[str, Callable[[Project], Any]]]] = {
    "prompts": ("{organization}/{project}/prompts/", lambda project: make_prompt(project=project)),
    "datasets": ("{organization}/{project}/datasets/", lambda project: make_dataset_version(project=project)),
    "batches": ("{organization}/{project}/batches/", lambda project: make_batch(project=project, rows=1)),
    "runs": ("{organization}/{project}/runs/", lambda project: make_run(project=project)),
    "keys": ("{organization}/{project}/settings/keys/", lambda project: make_api_key(project=project)),
    "members": ("{organization}/settings/members/", lambda project: None),
    "audit": ("{organization}/settings/audit/", lambda project: None),
}


@pytest.fixture(autouse=True)
def _every_page_is_known() -> None:
    """Lists are declared beside their pages, which are loaded with the addresses."""
    assert get_resolver().url_patterns


def test_point_17__every_declared_list__is_tried_here() -> None:
    assert set(registered()) == set(PLACES)


@pytest.mark.parametrize("key", PLACES)
def test_point_17__list__has_all_that_lists_have(client: Client, key: str) -> None:
    place, make = PLACES[key]
    project = make_project()
    make(project)
    client.force_login(owner_of(project.organization))
    slugs = {"organization": project.organization.slug, "project": project.slug}
    address = f"/{place.format(**slugs)}"
    table = table_named(key)

    page = client.get(address).content.decode()
    for words in (f'action="/profile/tables/{key}/"', "export=csv", "export=jsonl", "<thead>"):
        assert words in page, words
    for sort in table.orders:
        for sign in ("", "-"):
            assert client.get(address, {"sort": sign + sort}).status_code == 200
    assert client.get(address, {"sort": "password"}).status_code == 200
    assert client.get(address, {"export": "csv", "sort": "password"}).status_code == 400

    counted = int(client.get(address, {"count": "1"}).content)
    lines = list(csv.reader(io.StringIO(client.get(address, {"export": "csv"}).getvalue().decode())))
    assert lines[0] == [column.key for column in table.columns]
    assert len(lines) == counted + 1 >= 2
    exported = client.get(address, {"export": "jsonl"}).getvalue()
    assert len(exported.splitlines()) == counted
    if table.search:
        found = client.get(address, {"q": "nothing is called so"}).content.decode()
        assert "Matches “nothing is called so”" in found
        assert client.get(address, {"q": "nothing is called so", "count": "1"}).content == b"0"
    columns = [column.key for column in table.choosable]
    client.post(f"/profile/tables/{key}/", {"column": columns})
    assert client.get(address).status_code == 200
