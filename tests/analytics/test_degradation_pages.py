"""Incidents by page and by API: what they say, who may do what, by which rule they are found."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from apps.analytics.incidents.models import ClosedBecause, DegradationRule, Incident
from apps.analytics.incidents.queries import rule_of
from apps.analytics.incidents.words import chance_words, facts, found_words
from apps.audit.models import AuditEvent
from apps.core.scope import organization_scope
from apps.tenants.models import Project
from apps.tenants.roles import Role
from tests.analytics.support import roll_up
from tests.factories import make_incident, make_member, make_project, make_prompt, make_segment, owner_of

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)
CHANGES: list[dict[str, Any]] = [
    {"kind": "version", "at": NOW.isoformat(), "after": "3", "name": "openai/gpt-5"},
    {
        "kind": "label",
        "at": NOW.isoformat(),
        "name": "production",
        "action": "move",
        "before": "2",
        "after": "3",
    },
    {"kind": "model", "at": NOW.isoformat(), "before": "openai/gpt-5-mini", "after": "openai/gpt-5"},
    {"kind": "connection", "at": NOW.isoformat(), "name": "openai", "action": "updated"},
    {"kind": "price", "at": NOW.isoformat(), "name": "openai/*", "action": "started"},
    {"kind": "default_model", "at": NOW.isoformat(), "before": "", "after": "openai/gpt-5"},
]


@pytest.fixture
def project(client: Client) -> Project:
    made = make_project()
    client.force_login(owner_of(made.organization))
    return made


def address(project: Project, place: str = "") -> str:
    return f"/{project.organization.slug}/{project.slug}/incidents/{place}"


def text(client: Client, place: str) -> str:
    answer = client.get(place)
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def api(client: Client, project: Project, method: str, place: str = "", body: Any = None) -> Any:
    return client.generic(
        method,
        f"/api/v1/incidents{place}",
        data=b"" if body is None else json.dumps(body),
        content_type="application/json",
        headers={"Promptsaas-Project": project.public_id},
    )


def test_pages__an_open_incident__says_what_is_known(client: Client, project: Project) -> None:
    prompt = make_prompt(project=project, name="support-reply", versions=3)
    with organization_scope(project.organization_id):
        version = prompt.versions.get(number=3)
    segment = make_segment(project=project, prompt_id=prompt.pk, version_id=version.pk, version_number=3)
    roll_up(segment, NOW - timedelta(minutes=40), requests=200, failed=11, errors={"provider_timeout": 11})
    new = make_segment(
        project=project, prompt_id=prompt.pk, version_id=version.pk, version_number=3, model="openai/gpt-5"
    )
    roll_up(new, NOW - timedelta(minutes=30), requests=10)
    roll_up(segment, NOW - timedelta(hours=5), requests=200, failed=4, errors={"provider_timeout": 4})
    named = {"prompt_id": prompt.pk, "version_id": version.pk}
    incident = make_incident(project=project, changes=CHANGES, **named)
    other = make_incident(project=project, metric="latency", before_value=812.0, now_value=1604.0)
    listed = text(client, address(project))
    assert "Error rate of support-reply v3" in listed
    assert "Latency of a deleted prompt v3" in listed
    assert "statistical test" in listed
    shown = text(client, address(project, f"{incident.public_id}/"))
    for words in (
        "5.4 % of 1,210 calls failed",
        "production was moved",
        "openai/gpt-5 began to answer",
        "Connection openai was changed",
        "The own price of openai/* started",
        "The default model was changed",
        f"/prompts/{prompt.public_id}/labels/",
        f"?prompt={prompt.public_id}&amp;version=3&amp;status=failed",
        "At the same time",
        "<code>provider_timeout</code>",
        "By model",
        "openai/gpt-5",
        "812 ms",
    ):
        assert words in shown.replace("\u00a0", " "), words
    assert "5.5 %" in text(client, address(project, f"{incident.public_id}/")).replace("\u00a0", " ")
    file = client.get(address(project, f"{incident.public_id}/?export=csv"))
    assert file["Content-Type"].startswith("text/csv")
    assert b"0.055" in file.content
    assert text(client, address(project, f"{other.public_id}/")).count("Nothing here") == 1


def test_acknowledge__by_page__is_kept_and_refused_for_a_closed_one(client: Client, project: Project) -> None:
    incident = make_incident(project=project)
    page = address(project, f"{incident.public_id}/")
    assert client.post(f"{page}acknowledge/")["Location"] == page
    assert "Acknowledged" in text(client, page)
    with organization_scope(project.organization_id):
        assert AuditEvent.objects.filter(action="incident.acknowledged").count() == 1
        Incident.objects.filter(pk=incident.pk).update(
            closed_at=NOW, closed_because=ClosedBecause.RECOVERED, acknowledged_at=None
        )
    client.post(f"{page}acknowledge/")
    shown = text(client, page)
    assert "the incident is over" in shown
    assert "as usual again" in shown


def test_rule__by_page_and_api__is_changed_and_audited(client: Client, project: Project) -> None:
    make_incident(project=project)
    form = text(client, address(project, "rule/"))
    assert "False alarms a month" in form
    assert "closes the incidents that are open now" in form
    assert client.post(address(project, "rule/"), {"rule": "guess"}).status_code == 422
    assert client.post(address(project, "rule/"), {"rule": "simple"})["Location"] == address(project)
    assert api(client, project, "GET", "/rule").json() == {"object": "incident_rule", "rule": "simple"}
    assert api(client, project, "PUT", "/rule", {"rule": "off"}).json()["rule"] == "off"
    refused = api(client, project, "PUT", "/rule", {"rule": "always"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "rule")
    with organization_scope(project.organization_id):
        assert rule_of(project) == DegradationRule.OFF
        assert AuditEvent.objects.filter(action="degradation_rule.changed").count() == 2
        assert Incident.objects.get().closed_because == ClosedBecause.RULE
    assert "Versions are not watched" in text(client, address(project))


def test_api__lists_filters_and_acknowledges(client: Client, project: Project) -> None:
    prompt = make_prompt(project=project, name="support-reply")
    closed = make_incident(project=project, closed_at=NOW, closed_because="quiet", metric="cost")
    incident = make_incident(project=project, prompt_id=prompt.pk)
    found = api(client, project, "GET").json()["data"]
    assert [each["id"] for each in found] == [incident.public_id, closed.public_id]
    for query in ("?state=open", "?prompt=support-reply", "?metric=error_rate"):
        [only] = api(client, project, "GET", query).json()["data"]
        assert only["id"] == incident.public_id
    assert api(client, project, "GET", "?state=wide").json()["error"]["param"] == "state"
    body = api(client, project, "GET", f"/{incident.public_id}").json()
    assert body["description"].startswith("Error rate of v3 up from 2.1")
    assert (body["state"], body["closed_because"], body["before_count"]) == ("open", None, 28_400)
    done = api(client, project, "POST", f"/{incident.public_id}/acknowledge")
    assert done.json()["acknowledged_at"] is not None
    refused = api(client, project, "POST", f"/{closed.public_id}/acknowledge")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "incident_closed")


def test_viewer__reads_and_changes_nothing(client: Client, project: Project) -> None:
    incident = make_incident(project=project)
    client.force_login(make_member(organization=project.organization, role=Role.VIEWER))
    assert "Acknowledge<" not in text(client, address(project, f"{incident.public_id}/"))
    assert "Change how they are found" not in text(client, address(project))
    assert client.post(address(project, f"{incident.public_id}/acknowledge/")).status_code == 403
    assert client.get(address(project, "rule/")).status_code == 403


@pytest.mark.parametrize(
    ("metric", "values", "words"),
    [
        ("latency", (812.0, 1604.0), "1,210 answered calls took 1.60 s, as a geometric mean"),
        ("cost", (0.004, 0.0071), "1,210 calls of known price cost $0.007100 each"),
        ("schema_failures", (0.01, 0.03), "3.0 % of 1,210 calls broke their output schema"),
        ("feedback", (4.4, 3.1), "1,210 marks were 3.10 of 5 on average"),
    ],
)
def test_words__of_each_metric__say_the_unit(metric: str, values: tuple[float, float], words: str) -> None:
    incident = Incident(
        metric=metric,
        rule="statistical",
        version_number=3,
        window_minutes=15,
        before_value=values[0],
        now_value=values[1],
        before_count=28_400,
        now_count=1_210,
        score=4.6,
        chance=2.1e-6,
        changes=CHANGES,
    )
    assert words in found_words(incident).replace("\u00a0", " ")
    assert chance_words(incident) == "4.6 standard deviations: by chance alone about once in 480,000 looks."
    assert [each.kind for each in facts(incident)] == [each["kind"] for each in reversed(CHANGES)]


def test_chosen_incidents__are_acknowledged_after_a_question(client: Client, project: Project) -> None:
    chosen = [make_incident(project=project) for _ in range(2)]
    make_incident(project=project, closed_at=NOW, closed_because="quiet")
    rows = {"id": [each.public_id for each in chosen]}
    asked = client.get(address(project, "acknowledge/"), rows).content.decode()
    assert "Acknowledge 2 incidents?" in asked
    assert client.post(address(project, "acknowledge/"), {**rows, "matching": "3"}).status_code == 409
    assert client.post(address(project, "acknowledge/"), {**rows, "matching": "2"}).status_code == 302
    with organization_scope(project.organization_id):
        assert Incident.objects.filter(acknowledged_at__isnull=False).count() == 2


def test_search_box__finds_an_incident_by_its_id(client: Client, project: Project) -> None:
    incident = make_incident(project=project)
    place = f"/{project.organization.slug}/{project.slug}/search/"
    page = client.get(place, {"q": incident.public_id}, headers={"HX-Request": "true"}).content.decode()
    assert address(project, f"{incident.public_id}/") in page
