"""The pages of analytics: state in the address, figures that say what is unknown, files equal to tables."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from apps.analytics.models import Grain, Segment
from apps.core.scope import organization_scope
from apps.prompts.models import Prompt
from apps.prompts.queries import latest_version
from apps.tenants.models import Project
from tests.factories import make_project, make_prompt, make_rollup, make_segment, owner_of

pytestmark = pytest.mark.django_db

FRAGMENT = {"HX-Request": "true"}
KNOWN: dict[str, Any] = {
    "requests": 80,
    "failed": 4,
    "errors": {"provider_timeout": 4},
    "cost": Decimal("1.20"),
    "priced": 80,
    "input_tokens": 900,
    "output_tokens": 100,
    "latency_buckets": [300],
    "latency_counts": [76],
    "latency_sum": 76_000,
    "feedback_sum": 20,
    "feedback_count": 5,
}
UNKNOWN: dict[str, Any] = {"requests": 7, "unknown_price": 7, "unknown_tokens": 7}


def count(segment: Segment, **values: Any) -> None:
    """The same calls in every grain: an hour ago, and on that day."""
    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    make_rollup(segment=segment, grain=Grain.FIVE_MINUTES, starts_at=at, **values)
    make_rollup(segment=segment, grain=Grain.HOUR, starts_at=at, **values)
    make_rollup(segment=segment, grain=Grain.DAY, starts_at=at.replace(hour=0), **values)


@pytest.fixture
def project(client: Client) -> Project:
    project = make_project()
    client.force_login(owner_of(project.organization))
    return project


@pytest.fixture
def prompt(project: Project) -> Prompt:
    prompt = make_prompt(project=project, name="support/answer", versions=2, labels={"production": 2})
    with organization_scope(project.organization_id):
        version = latest_version(prompt)
    given = {"prompt_id": prompt.pk, "version_id": version.pk, "version_number": version.number}
    count(make_segment(project=project, label="production", **given), **KNOWN)
    count(make_segment(project=project, model="local/llama"), **UNKNOWN)
    return prompt


def address(project: Project, rest: str = "") -> str:
    return f"/{project.organization.slug}/{project.slug}/analytics/{rest}"


def panel(client: Client, project: Project, name: str, query: str = "") -> str:
    response = client.get(address(project, f"panels/{name}/?{query}"), headers=FRAGMENT)
    assert response.status_code == 200
    return str(response.content.decode())


def rows_of(page: str) -> list[list[str]]:
    """The cells of the first table, as they read."""
    table = page[page.index("<table") : page.index("</table>")]
    rows = re.findall(r"<tr.*?</tr>", table, re.DOTALL)
    return [
        [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
        for row in rows
    ]


def file_of(client: Client, project: Project, name: str, query: str = "") -> list[list[str]]:
    response = client.get(address(project, f"panels/{name}/?{query}&export=csv"))
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(response.content.decode())))


def test_overview__figures__frame_has_each_panel_with_its_state(
    client: Client, project: Project, prompt: Prompt
) -> None:
    page = client.get(address(project, "?range=7d&group_by=model&compare=off")).content.decode()
    assert page.count("data-panel ") == 14
    assert "panels/requests/?range=7d&amp;group_by=model&amp;compare=off" in page
    assert "Last 7 days" in page
    assert "Compare: off" in page


def test_overview__no_runs_or_only_sandbox__says_which(client: Client, project: Project) -> None:
    assert "No runs yet" in client.get(address(project)).content.decode()
    count(make_segment(project=project, model="sandbox/standard", sandbox=True), requests=3)
    page = client.get(address(project)).content.decode()
    assert "Only sandbox runs so far" in page
    assert "?sandbox=1" in page
    assert "Sandbox runs only" in client.get(address(project, "?sandbox=1")).content.decode()


def test_overview__data_is_older__jumps_to_its_day(client: Client, project: Project) -> None:
    segment = make_segment(project=project)
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=20)
    for grain in (Grain.HOUR, Grain.DAY):
        make_rollup(segment=segment, grain=grain, starts_at=day, requests=3)
    page = client.get(address(project)).content.decode()
    assert "Nothing was called in this range" in page
    assert f"?from={day:%Y-%m-%d}&amp;to={day:%Y-%m-%d}" in page
    tiles = panel(client, project, "figures", f"from={day:%Y-%m-%d}&to={day:%Y-%m-%d}")
    assert '<span class="tile__value">3</span>' in tiles


@pytest.mark.parametrize(
    "query",
    [
        "range=1y",
        "from=yesterday",
        "interval=minute",
        "group_by=error",
        "from=2026-11-20&to=2026-11-01",
        "from=2026-11-20&to=9999-12-31",
        "prompt=x",
    ],
)
def test_overview__nonsense__refused_naming_the_field(client: Client, project: Project, query: str) -> None:
    response = client.get(address(project, f"?{query}"))
    assert response.status_code == 400
    field = "to" if "to=" in query else query.partition("=")[0]
    assert field in response.content.decode()


def test_panels__every_one__fragment_page_and_file(client: Client, project: Project, prompt: Prompt) -> None:
    page = client.get(address(project)).content.decode()
    names = set(re.findall(r"/analytics/panels/([\w-]+)/", page))
    assert len(names) == 14
    for name in sorted(names):
        assert "<html" not in panel(client, project, name)
        assert len(file_of(client, project, name)) >= 1
    whole = client.get(address(project, "panels/requests/")).content.decode()
    assert "<html" in whole
    assert "Data table" in whole


def test_cost__unknown_price__is_unknown_in_tile_chart_table_and_file(
    client: Client, project: Project, prompt: Prompt
) -> None:
    only = "model=local/llama&group_by=none"
    tiles = panel(client, project, "figures", only)
    assert re.search(r'>Cost</span><span class="tile__value">unknown<', tiles)
    chart = panel(client, project, "cost", only)
    assert "7 calls of unknown price not in it" in chart
    assert 'class="gap-band"' in chart
    cells = {cell for row in rows_of(chart) for cell in row[1:2]}
    assert "unknown" in cells
    written = {row[1] for row in file_of(client, project, "cost", only)[1:]}
    assert written == {"unknown", "none"}
    assert "$0" not in re.sub(r'<div class="chart__y".*?</div>', "", tiles + chart, flags=re.DOTALL)


def test_cost__some_unknown__known_sum_says_what_it_leaves_out(
    client: Client, project: Project, prompt: Prompt
) -> None:
    tiles = panel(client, project, "figures")
    assert "Cost, known prices" in tiles
    assert ">$1.20<" in tiles
    assert "7 calls of unknown price not in it" in tiles
    costs = client.get(address(project, "costs/?across=model")).content.decode()
    assert "7 calls of unknown price not in it" in costs
    total = next(
        row
        for row in rows_of(costs[costs.index('<h2 class="card__title" id="costs-h"') :])
        if row[0] == "Total"
    )
    assert "unknown" in total
    assert "$1.20" in total


@pytest.mark.parametrize("name", ["requests", "errors", "latency", "tokens", "satisfaction", "top-prompts"])
def test_file__each_panel__equals_its_table(
    client: Client, project: Project, prompt: Prompt, name: str
) -> None:
    table, file = rows_of(panel(client, project, name)), file_of(client, project, name)
    assert [len(row) for row in table] == [len(row) for row in file]
    plain = {"80": "80", "7": "7", "87": "87", "$1.20": "1.2", "5.00": "5"}
    for shown, written in zip(table[1:], file[1:], strict=True):
        for cell, exact in zip(shown[1:], written[1:], strict=True):
            assert plain.get(cell, exact) == exact, (name, cell, exact)


def test_changes__error_rate_rose__says_what_happened_in_that_time(
    client: Client, project: Project, prompt: Prompt
) -> None:
    with organization_scope(project.organization_id):
        segment = Segment.objects.get(project_id=project.id, label="production")
    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=30)
    for grain in (Grain.FIVE_MINUTES, Grain.HOUR):
        make_rollup(segment=segment, grain=grain, starts_at=at, requests=2_000, failed=2)
    [head, row] = rows_of(panel(client, project, "changes"))
    assert head == ["Prompt", "Measure", "Before", "Now", "Change", "In this time"]
    assert row[:2] == ["support/answer", "Error rate"]
    assert row[4] == "up 4.9\N{NO-BREAK SPACE}points"
    assert row[5].startswith("production to v2, ")
    assert file_of(client, project, "changes")[1][4] == "4.9\N{NO-BREAK SPACE}points more"


def test_top__a_name__narrows_the_page_to_it(client: Client, project: Project, prompt: Prompt) -> None:
    page = panel(client, project, "top-prompts")
    link = f"/analytics/?group_by=version&amp;prompt={prompt.public_id}"
    assert link in page
    narrowed = client.get(address(project, f"?group_by=version&prompt={prompt.public_id}")).content.decode()
    assert "Prompt is support/answer" in narrowed
    assert "Remove filter: Prompt is support/answer" in narrowed


def test_panels__runs_behind_them__are_linked_as_narrowed(
    client: Client, project: Project, prompt: Prompt
) -> None:
    page = panel(client, project, "errors", "range=7d&prompt=support/answer")
    link = f"/runs/?range=7d&amp;prompt={prompt.public_id}&amp;status=failed"
    assert link in page
    assert (
        client.get(address(project).replace("analytics/", link.replace("&amp;", "&")[1:])).status_code == 200
    )
    assert "Failed runs" not in panel(client, project, "errors", "range=90d")


def test_versions__side_by_side__score_with_formula_and_n(
    client: Client, project: Project, prompt: Prompt
) -> None:
    found = client.get(address(project, "versions/"))
    assert found["Location"] == address(project, f"versions/{prompt.public_id}/")
    page = client.get(found["Location"]).content.decode()
    assert "n = 80" in page
    assert "Score = 100" in page
    assert ["Calls", "80"] in [row[:2] for row in rows_of(page)]
    file = client.get(found["Location"] + "?export=csv").content.decode()
    assert file.startswith("Measure,v2\r\nEfficiency score,")


def test_versions__another_projects_prompt__not_found(client: Client, project: Project) -> None:
    stranger = make_prompt(project=make_project())
    assert client.get(address(project, f"versions/{stranger.public_id}/")).status_code == 404


def test_parts__prompts__cells_of_the_columns_asked_for_only(
    client: Client, project: Project, prompt: Prompt
) -> None:
    stranger = make_prompt(project=make_project())
    query = f"prompt={prompt.public_id}&prompt={stranger.public_id}&column=calls&column=cost"
    part = client.get(address(project, f"parts/prompts/?{query}")).content.decode()
    assert f'id="calls-{prompt.public_id}" hx-swap-oob="true">80<' in part
    assert f'id="cost-{prompt.public_id}"' in part
    assert "errors-" not in part
    assert stranger.public_id not in part


def test_parts__a_prompt__sparkline_and_calls_of_its_labels(
    client: Client, project: Project, prompt: Prompt
) -> None:
    part = client.get(address(project, f"parts/prompts/{prompt.public_id}/")).content.decode()
    assert "80 calls in 24 h, 5.0" in part
    assert 'id="label-calls-production"' in part
    assert "spark--line" in part
    with organization_scope(project.organization_id):
        version = latest_version(prompt).public_id
    versions = client.get(address(project, f"parts/prompts/{prompt.public_id}/versions/?version={version}"))
    assert "80 calls · $0.02 a call" in versions.content.decode()


def test_tabs__pages_that_exist__are_linked(client: Client, project: Project, prompt: Prompt) -> None:
    page = client.get(address(project, "costs/?range=30d")).content.decode()
    tabs = page[page.index('aria-label="Analytics"') :]
    assert f'href="{address(project, "?range=30d")}"' in tabs
    assert 'aria-current="page">Costs' in tabs
