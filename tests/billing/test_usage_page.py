"""The usage page: one month of the ledger, by day and project, and its file."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.billing import plans, usage
from apps.billing.models import UsageEvent
from apps.billing.web.charts import running_total
from apps.core.ids import uuid7
from apps.core.scope import organization_scope
from apps.tenants.models import Project
from apps.tenants.roles import Role
from tests.factories import make_member, make_project, make_quota, make_run, owner_of
from tests.factories.registry import numbers

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)


def make_events(project: Project, count: int, meter: str = plans.RUNS) -> None:
    with organization_scope(project.organization_id):
        UsageEvent.objects.bulk_create(
            UsageEvent(
                organization_id=project.organization_id,
                project_id=project.id,
                meter=meter,
                quantity=1,
                key=f"run:{next(numbers)}",
                source_kind="run",
                source_id=uuid7(),
                occurred_at=NOW,
            )
            for _ in range(count)
        )


def page(client: Client, project: Project, query: str = "", status: int = 200) -> str:
    response = client.get(f"/{project.organization.slug}/settings/usage/{query}")
    assert response.status_code == status
    return response.content.decode()


def test_usage__two_projects_and_the_sandbox__each_apart(client: Client) -> None:
    project = make_project()
    other = make_project(organization=project.organization, name="Second")
    make_events(project, 3)
    make_events(other, 1)
    make_events(other, 5, plans.SANDBOX_RUNS)
    make_events(make_project(), 7)
    make_quota(organization=project.organization, cap=5)
    client.force_login(owner_of(project.organization))

    text = page(client, project)

    assert "<small>of 5 included</small>" in text
    assert "80 %" in text
    with organization_scope(project.organization_id):
        found = usage.month_usage(project.organization_id, NOW)
    assert (found.used, found.sandbox_used, found.percent) == (4, 5, 80)
    assert [(each.project_id, each.runs, each.sandbox_runs) for each in found.by_project()] == [
        (project.id, 3, 0),
        (other.id, 1, 5),
    ]
    assert list(found.running_total())[-1] == (NOW.date(), 4, 4)


def test_usage__file__has_what_the_page_sums(client: Client) -> None:
    project = make_project(name="=Formula")
    make_events(project, 3)
    client.force_login(owner_of(project.organization))
    lines = list(csv.DictReader(io.StringIO(page(client, project, "?export=csv"))))
    assert lines == [
        {"day": NOW.date().isoformat(), "project": "'=Formula", "meter": "runs", "quantity": "3"}
    ]


def test_usage__month_before_the_organization__is_refused(client: Client) -> None:
    project = make_project()
    client.force_login(owner_of(project.organization))
    page(client, project, "?month=1999-01", status=400)
    page(client, project, "?month=nonsense", status=400)
    page(client, project, f"?month={NOW:%Y-%m}")


def test_usage__one_and_many_events__same_number_of_queries(client: Client) -> None:
    project = make_project()
    client.force_login(owner_of(project.organization))

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            page(client, project)
        return len(captured)

    make_events(project, 1)
    page(client, project)
    one = queries()
    make_events(project, 20)
    assert queries() == one <= 15


def test_usage__billing_role__sees_the_ledger_and_no_prompts(client: Client) -> None:
    project = make_project()
    client.force_login(make_member(organization=project.organization, role=Role.BILLING))
    assert "usage/split/" not in page(client, project)
    assert client.get(f"/{project.organization.slug}/settings/usage/split/").status_code == 403


def test_split__unknown_price__is_unknown_and_never_zero(client: Client) -> None:
    project = make_project()
    make_run(project=project)
    make_run(project=project, model="own/llama")
    client.force_login(owner_of(project.organization))
    room = f"/{project.organization.slug}/settings/usage/split/"
    text = client.get(f"{room}?by=model").content.decode()
    assert "own/llama" in text
    assert "sandbox/standard" not in text
    assert client.get(f"{room}?by=secret").status_code == 400
    assert client.get(f"{room}?month=2026-13").status_code == 400
    assert "Dashboard: batches and playground" in client.get(f"{room}?by=key").content.decode()


def test_months__since_last_year__newest_first() -> None:
    months = usage.months_since(NOW - timedelta(days=70), NOW)
    assert months[0] == plans.period_start(NOW)
    assert 3 <= len(months) <= 4


def test_chart__near_the_limit__shows_it() -> None:
    days = [(NOW.date(), 5, 5), (NOW.date(), 5, 10)]
    chart = running_total(days, 30, 12)
    assert chart.scale[0] >= 12
    assert chart.limit
    assert running_total(days, 30, 1000).limit == ""
    assert running_total([], 30, None).line == ""
