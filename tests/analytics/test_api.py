"""`/api/v1/analytics/…`: figures as programs get them."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from apps.analytics.metrics import METRICS
from apps.core.scope import organization_scope
from apps.prompts.models import Prompt, PromptVersion
from apps.tenants.models import Project
from apps.tenants.roles import Scope
from tests.analytics.support import roll_up
from tests.factories import make_api_key, make_project, make_prompt, make_segment

pytestmark = pytest.mark.django_db

LATELY = datetime.now(UTC) - timedelta(minutes=5)
KNOWN: dict[str, Any] = {"requests": 8, "failed": 2, "priced": 6, "cost": Decimal("1.50"), "latency_sum": 840}
HISTOGRAM: dict[str, Any] = {"latency_buckets": [100, 120], "latency_counts": [3, 3]}


@pytest.fixture
def project() -> Project:
    """A project with a prompt's priced runs, and runs without a prompt whose price nobody knows."""
    project = make_project()
    prompt = make_prompt(project=project, name="greeting")
    called = make_segment(project=project, prompt_id=prompt.pk, label="production")
    roll_up(called, LATELY, **KNOWN, **HISTOGRAM, errors={"provider_timeout": 2})
    roll_up(make_segment(project=project, model="=local/echo"), LATELY, requests=2, unknown_price=2)
    roll_up(make_segment(project=project, sandbox=True), LATELY, requests=99, priced=99, cost=Decimal(7))
    return project


@pytest.fixture
def api(client: Client, project: Project) -> Client:
    _, token = make_api_key(project=project, scopes=(Scope.READ,))
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def get(api: Client, query: str) -> dict[str, Any]:
    answer = api.get(f"/api/v1/analytics/{query}")
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


def test_series__by_prompt__has_lines_with_points_and_what_is_unknown(api: Client) -> None:
    body = get(
        api, "series?metrics=requests,cost,latency_p95,error_rate&group_by=prompt&range=7d&compare=true"
    )
    assert (body["object"], body["interval"], body["sandbox"]) == ("analytics_series", "hour", False)
    assert body["metrics"] == ["requests", "cost", "latency_p95", "error_rate", "unknown_price"]
    greeting, nothing = body["lines"]
    assert (greeting["group"]["kind"], greeting["group"]["name"]) == ("value", "greeting")
    assert greeting["group"]["value"].startswith("prm_")
    assert greeting["total"] == {
        "requests": 8,
        "cost": "1.5",
        "latency_p95": 120.0,
        "error_rate": 0.25,
        "unknown_price": 0,
    }
    assert nothing["group"] == {"kind": "none", "value": "-", "name": "Without a prompt"}
    assert (nothing["total"]["cost"], nothing["total"]["unknown_price"]) == (None, 2)
    assert len(greeting["points"]) == 168
    assert sum(point["values"]["requests"] for point in greeting["points"]) == 8
    empty = greeting["points"][0]
    assert (empty["values"]["requests"], empty["values"]["cost"], empty["partial"]) == (0, None, False)
    assert greeting["previous"]["requests"] == 0
    assert greeting["previous_points"] == []
    assert len(get(api, "series?compare=true&range=30d")["lines"][0]["previous_points"]) == 30
    assert body["rolled_up_until"].endswith("Z")


def test_series__as_it_is__is_the_last_day_in_one_line(api: Client) -> None:
    body = get(api, "series")
    assert (len(body["lines"]), len(body["lines"][0]["points"])) == (1, 24)
    assert body["lines"][0]["group"] == {"kind": "all", "value": None, "name": "All requests"}
    assert body["lines"][0]["previous"] is None
    assert body["lines"][0]["previous_points"] == []


def test_series__from_and_to__are_rounded_outwards_and_said(api: Client) -> None:
    body = get(api, "series?from=2026-01-05T00:30:00%2B01:00&to=2026-01-20T10:00:00Z&metrics=requests")
    assert (body["from"], body["to"]) == ("2026-01-04T00:00:00Z", "2026-01-21T00:00:00Z")
    assert (body["interval"], body["metrics"]) == ("day", ["requests"])


def test_series__of_the_future__has_no_points_and_no_values(api: Client) -> None:
    body = get(api, "series?from=2101-01-05T00:00:00Z&to=2101-01-06T00:00:00Z&compare=true")
    [line] = body["lines"]
    assert (line["points"], line["previous_points"], line["total"]["requests"]) == ([], [], 0)
    assert line["previous"]["cost"] is None


def test_summary__of_everything__has_every_metric_errors_and_the_period_before(api: Client) -> None:
    body = get(api, "summary?compare=true")
    assert list(body["total"]) == list(METRICS)
    assert (body["total"]["requests"], body["total"]["cost"], body["total"]["unknown_price"]) == (
        10,
        "1.5",
        2,
    )
    assert body["total"]["cost_per_request"] == "0.25"
    assert body["total"]["satisfaction"] is None
    assert body["errors"] == [{"code": "provider_timeout", "count": 2}]
    assert (body["previous"]["requests"], body["previous"]["cost"]) == (0, None)
    assert body["rows"] == []


def test_summary__by_a_dimension__has_the_largest_rows_and_the_rest(api: Client) -> None:
    body = get(api, "summary?group_by=model&limit=1&metrics=requests,cost")
    assert [(row["group"]["kind"], row["total"]["requests"], row["share"]) for row in body["rows"]] == [
        ("value", 8, 0.8),
        ("others", 2, 0.2),
    ]
    assert body["rows"][1]["total"]["cost"] is None
    of_errors = get(api, "summary?group_by=error")
    assert list(of_errors["total"]) == ["errors", "error_rate"]
    assert of_errors["rows"][0]["total"] == {"errors": 2, "error_rate": 0.2}


def test_figures__of_the_sandbox__stand_for_themselves(api: Client) -> None:
    assert get(api, "summary?sandbox=true&metrics=requests,cost")["total"] == {
        "requests": 99,
        "cost": "7",
        "unknown_price": 0,
    }
    assert get(api, "summary?sandbox=false")["total"]["requests"] == 10


def test_figures__narrowed__are_of_those_runs(api: Client) -> None:
    assert get(api, "summary?prompt=greeting&label=production")["total"]["requests"] == 8
    assert get(api, "summary?prompt=-&prompt=greeting")["total"]["requests"] == 10
    assert get(api, "summary?model=%3Dlocal/echo")["total"]["requests"] == 2
    assert get(api, "summary?error=provider_timeout")["total"]["errors"] == 2
    assert get(api, "summary?label=nobody's")["total"]["requests"] == 0


def test_csv__of_both__is_safe_and_says_what_is_unknown(api: Client) -> None:
    answer = api.get("/api/v1/analytics/summary?format=csv&group_by=model&metrics=requests,cost,latency_p50")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="analytics-summary.csv"'
    rows = list(csv.reader(io.StringIO(answer.content.decode())))
    assert rows == [
        ["group", "group_name", "requests", "cost", "latency_p50", "unknown_price"],
        ["openai/gpt-5-mini", "openai/gpt-5-mini", "8", "1.5", "100.0", "0"],
        ["'=local/echo", "'=local/echo", "2", "unknown", "no data", "2"],
        ["", "All requests", "10", "1.5", "100.0", "2"],
    ]
    answer = api.get(
        "/api/v1/analytics/series?format=csv&metrics=requests,cost&compare=true&interval=day&range=7d"
    )
    rows = list(csv.reader(io.StringIO(answer.content.decode())))
    assert rows[0][2:] == [
        "starts_at",
        "partial",
        "requests",
        "cost",
        "unknown_price",
        "previous_requests",
        "previous_cost",
        "previous_unknown_price",
    ]
    assert len(rows) == 8
    assert rows[1][4:6] == ["0", "no data"]


def test_costs__by_two_dimensions__have_cells_shares_and_what_is_unknown(api: Client) -> None:
    body = get(api, "costs?rows=prompt&columns=model")
    assert [group["name"] for group in body["columns"]] == ["openai/gpt-5-mini", "=local/echo"]
    greeting, nothing = body["rows"]
    nowhere = {"amount": None, "unknown_price": 0, "requests": 0, "share": None}
    assert greeting["cells"] == [
        {"amount": "1.5", "unknown_price": 0, "requests": 8, "share": 1.0},
        nowhere,
    ]
    assert nothing["total"] == {"amount": None, "unknown_price": 2, "requests": 2, "share": None}
    assert body["total"] == {"amount": "1.5", "unknown_price": 2, "requests": 10, "share": 1.0}
    one = get(api, "costs?rows=model&limit=1&sandbox=true")
    assert [(row["group"]["name"], row["total"]["amount"]) for row in one["rows"]] == [
        ("openai/gpt-5-mini", "7")
    ]
    answer = api.get("/api/v1/analytics/costs?rows=model&format=csv")
    assert list(csv.reader(io.StringIO(answer.content.decode())))[1:] == [
        ["openai/gpt-5-mini", "openai/gpt-5-mini", "", "All requests", "8", "1.5", "0", "1.0"],
        ["'=local/echo", "'=local/echo", "", "All requests", "2", "unknown", "2", "unknown"],
        ["", "All requests", "", "All requests", "10", "1.5", "2", "1.0"],
    ]


def test_versions__side_by_side__have_values_scores_and_overrides(api: Client, project: Project) -> None:
    prompt = make_prompt(project=project, name="reply", versions=2, labels={"production": 1})
    with organization_scope(project.organization_id):
        newest = PromptVersion.objects.get(prompt=prompt, number=2)
    segment = make_segment(project=project, prompt_id=prompt.pk, version_id=newest.pk)
    roll_up(segment, LATELY, requests=40, failed=10, overrides={"any": 30, "variable:tone": 30})
    body = get(api, "versions?prompt=reply")
    two, one = body["versions"]
    assert (two["id"], two["version"], two["labels"]) == (newest.public_id, 2, [])
    assert (two["values"]["requests"], two["values"]["cost"]) == (40, "0")
    assert two["efficiency"]["score"] == 75
    missing = [part["key"] for part in two["efficiency"]["parts"] if part["missing"]]
    assert missing == ["satisfaction", "validity", "cost", "speed"]
    assert two["overrides"] == [
        {"kind": "variable", "name": "tone", "count": 30, "share": 0.75, "doubtful": True}
    ]
    assert (one["version"], one["labels"], one["values"]["requests"]) == (1, ["production"], 0)
    assert (one["efficiency"]["score"], one["efficiency"]["n"]) == (None, 0)
    assert "weighted mean" in body["formula"]
    assert [each["version"] for each in get(api, "versions?prompt=reply&limit=1")["versions"]] == [2]
    assert api.get("/api/v1/analytics/versions?prompt=nobody's").status_code == 404


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("series?metrics=speed", "metrics"),
        ("series?metrics=", "metrics"),
        ("series?metrics=cost&group_by=error", "metrics"),
        ("series?group_by=customer", "group_by"),
        ("series?groupby=model", "groupby"),
        ("series?range=1y", "range"),
        ("series?range=7d&from=2026-11-01T00:00:00Z", "range"),
        ("series?from=yesterday", "from"),
        ("series?from=2026-11-01T00:00:00", "from"),
        ("series?from=0001-01-01T00:00:00%2B14:00", "from"),
        ("series?from=2026-13-01T00:00:00Z", "from"),
        ("series?to=2026-11-01T00:00:00Z", "to"),
        ("series?from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z", "to"),
        ("series?range=90d&interval=hour", "interval"),
        ("series?interval=week", "interval"),
        ("series?most=0", "most"),
        ("series?most=21", "most"),
        ("series?compare=yes", "compare"),
        ("series?sandbox=1", "sandbox"),
        ("series?format=xml", "format"),
        ("series?prompt=nobody's", "prompt"),
        ("series?version=1", "version"),
        ("series?prompt=greeting&version=99", "version"),
        ("series?key=website", "key"),
        ("series?source=telex", "source"),
        ("series?source=", "source"),
        ("series?label=production&label=", "label"),
        ("series?label=%00", "label"),
        ("versions", "prompt"),
        ("costs?rows=error", "rows"),
        ("costs?rows=model&columns=model", "columns"),
        ("costs?error=provider_timeout", "error"),
        ("costs?limit=101", "limit"),
        ("versions?prompt=greeting&limit=0", "limit"),
        ("versions?prompt=greeting&label=production", "label"),
        ("summary?limit=101", "limit"),
        ("summary?most=3", "most"),
        ("summary?order_by=speed", "order_by"),
        ("summary?group_by=error&metrics=errors&order_by=cost", "metrics"),
    ],
)
def test_figures__of_a_wrong_question__are_refused_by_the_parameter_s_name(
    api: Client, query: str, param: str
) -> None:
    answer = api.get(f"/api/v1/analytics/{query}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.content


def test_figures__of_another_project__are_not_told(client: Client, project: Project) -> None:
    _, token = make_api_key(project=make_project(), scopes=(Scope.READ,))
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    assert get(client, "summary")["total"]["requests"] == 0
    assert client.get("/api/v1/analytics/summary?prompt=greeting").status_code == 400


def test_figures__by_a_version_s_number__need_a_prompt_of_the_project(
    client: Client, project: Project
) -> None:
    with organization_scope(project.organization_id):
        prompt = Prompt.objects.get(name="greeting")
    beside = make_project(organization=project.organization, name="Beside")
    for where, status in ((project, 200), (beside, 400)):
        _, token = make_api_key(project=where, scopes=(Scope.READ,))
        query = f"summary?prompt={prompt.public_id}&version=1"
        answer = client.get(f"/api/v1/analytics/{query}", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status, answer.content
