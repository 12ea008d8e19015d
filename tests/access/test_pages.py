"""What every page costs the database: at most 15 statements, and no more the more rows there are."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.access.pages import fill_project, prove_again, staff_owner, web_pages
from tests.factories import make_project

MOST_STATEMENTS = 15
# What opens, scopes and closes a transaction.
AROUND = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET LOCAL", "SELECT set_config(")


def _statements(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        response = client.get(address)
    assert response.status_code < 500, address
    return sum(not query["sql"].startswith(AROUND) for query in captured)


@pytest.mark.django_db
def test_every_page__few_or_many_rows__takes_at_most_15_statements_and_as_many(client: Client) -> None:
    project = make_project()
    client.force_login(staff_owner(project))
    prove_again(client.session)
    fill_project(project)
    pages = web_pages(project)
    for page in pages:
        # The first visit of a while is noted, and the address may move the session's own place.
        client.get(page.address)
    few = {page: _statements(client, page.address) for page in pages}
    for _ in range(2):
        fill_project(project)
    many = {page: _statements(client, page.address) for page in pages}
    dear = {page.pattern: count for page, count in many.items() if count > MOST_STATEMENTS}
    assert dear == {}, "more statements than a page may take"
    growing = {page.pattern: (few[page], count) for page, count in many.items() if few[page] != count}
    assert growing == {}, "statements that grow with the rows"
