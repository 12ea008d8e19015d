"""Point 17 for every list: search, filters, order, choice of columns and rows, export, all by address."""

import csv
import io
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

import pytest
from django.apps import apps
from django.test import Client
from django.urls import get_resolver

from apps.core.scope import organization_scope
from apps.core.tables import FilterKind, table_named
from apps.core.tables.declaring import registered
from apps.tenants.models import Project
from tests.factories import (
    TENANT_FACTORIES,
    make_alert_rule,
    make_api_key,
    make_batch,
    make_connection,
    make_dataset_version,
    make_erasure,
    make_incident,
    make_price,
    make_project,
    make_prompt,
    make_run,
    make_scale_test,
    make_webhook,
    owner_of,
)

pytestmark = pytest.mark.django_db(transaction=True)

# Where each list stands, and how to get a row into it.
PLACES: Final[dict[str, tuple[str, Callable[[Project], Any]]]] = {
    "prompts": ("{organization}/{project}/prompts/", lambda project: make_prompt(project=project)),
    "datasets": ("{organization}/{project}/datasets/", lambda project: make_dataset_version(project=project)),
    "batches": ("{organization}/{project}/batches/", lambda project: make_batch(project=project, rows=1)),
    "scale_tests": (
        "{organization}/{project}/batches/scale-tests/",
        lambda project: make_scale_test(project=project, steps=(1,)),
    ),
    "streams": (
        "{organization}/{project}/batches/streams/",
        lambda project: TENANT_FACTORIES["batches.Stream"](project),
    ),
    "runs": ("{organization}/{project}/runs/", lambda project: make_run(project=project)),
    "keys": ("{organization}/{project}/settings/keys/", lambda project: make_api_key(project=project)),
    "connections": (
        "{organization}/{project}/settings/providers/",
        lambda project: make_connection(project=project),
    ),
    "prices": (
        "{organization}/{project}/settings/providers/prices/",
        lambda project: make_price(project=project, pattern=f"made/{uuid4().hex}"),
    ),
    "aliases": (
        "{organization}/{project}/settings/providers/aliases/",
        lambda project: TENANT_FACTORIES["providers.ModelAlias"](project),
    ),
    "alerts": ("{organization}/{project}/alerts/", lambda project: make_alert_rule(project=project)),
    "incidents": ("{organization}/{project}/incidents/", lambda project: make_incident(project=project)),
    "webhooks": (
        "{organization}/{project}/settings/webhooks/",
        lambda project: make_webhook(project=project),
    ),
    "deliveries": (
        "{organization}/{project}/settings/webhooks/deliveries/",
        lambda project: TENANT_FACTORIES["notifications.WebhookDelivery"](project),
    ),
    "members": ("{organization}/settings/members/", lambda project: None),
    "audit": ("{organization}/settings/audit/", lambda project: None),
    "erasures": (
        "{organization}/settings/privacy/erasure/",
        lambda project: make_erasure(project=project),
    ),
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
    assert lines[0] == [column.key for column in table.exported]
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


@pytest.mark.parametrize("key", PLACES)
def test_point_17__every_filter__narrows_page_count_and_file_alike(client: Client, key: str) -> None:
    place, make = PLACES[key]
    project = make_project()
    for _ in range(3):
        make(project)
    client.force_login(owner_of(project.organization))
    address = f"/{place.format(organization=project.organization.slug, project=project.slug)}"
    every = int(client.get(address, {"count": "1"}).content)
    for query in _narrowings(key):
        counted = int(client.get(address, {**query, "count": "1"}).content)
        exported = client.get(address, {**query, "export": "jsonl"}).getvalue().splitlines()
        assert len(exported) == counted <= every, query
        page = client.get(address, query).content.decode()
        rows = page.partition(" data-rows")[2].partition("<tbody")[2].partition("</tbody>")[0]
        assert rows.count("<tr") == counted, query


def _narrowings(key: str) -> list[dict[str, str]]:
    """Every value of every filter that the list itself knows, and dates before and after everything."""
    found = []
    for each in table_named(key).filters:
        if each.kind is FilterKind.DATE:
            found += [{each.key: "2001-01-01"}, {each.key: "2099-01-01"}]
        found += [{each.key: value} for value, _ in each.choices]
    return found


MODELS: Final = {
    "alerts": "analytics.AlertRule",
    "incidents": "analytics.Incident",
    "prompts": "prompts.Prompt",
    "batches": "batches.BatchJob",
    "runs": "runs.Run",
}
# Where what can be done with the chosen rows is asked, and how the question names them.
BULK: Final = {
    "alerts": ("alerts/disable/", "Turn off 3 rules"),
    "incidents": ("incidents/acknowledge/", "Acknowledge 3 incidents"),
    "prompts": ("prompts/archive/", "Archive 3 prompts"),
    "batches": ("batches/stop/", "Stop 3 batches"),
    "runs": ("runs/dataset/", "Add 3 runs"),
}


@pytest.mark.parametrize("key", BULK)
def test_point_17__action_on_all_that_match__names_their_exact_number(client: Client, key: str) -> None:
    place, words = BULK[key]
    project, elsewhere = make_project(), make_project()
    for _ in range(3):
        TENANT_FACTORIES[MODELS[key]](project)
    TENANT_FACTORIES[MODELS[key]](elsewhere)
    client.force_login(owner_of(project.organization))
    base = f"/{project.organization.slug}/{project.slug}/{place}"
    with organization_scope(project.organization_id):
        model = apps.get_model(MODELS[key])
        extra = model.objects.count() - 3
    page = client.get(base, {"select": "all"}).content.decode()
    assert words.replace("3", str(3 + extra)) in page
    # Nothing chosen, or a narrowing that the list doesn't know: never more rows than were meant.
    assert client.get(base).status_code == 400
    assert client.get(base, {"select": "all", "sort": "nothing"}).status_code == 400
