"""Alert rules by page and by API: without script, by right, audited; what a rule would have done."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from apps.analytics.alerts.models import AlertRule, AlertState
from apps.audit.models import AuditEvent
from apps.core.scope import organization_scope
from apps.tenants.models import CustomRole, Membership, Project
from apps.tenants.roles import Role
from tests.analytics.test_alerts import fill, member_of
from tests.factories import (
    make_alert_event,
    make_alert_rule,
    make_api_key,
    make_member,
    make_project,
    make_prompt,
    owner_of,
)

pytestmark = pytest.mark.django_db
FORM = {
    "kind": "threshold",
    "name": "Errors",
    "metric": "error_rate",
    "comparison": "above",
    "value": "5",
    "warn_value": "2.5",
    "window_minutes": "60",
    "minimum_sample": "20",
}
BODY: dict[str, Any] = {"name": "Errors", "kind": "threshold", "metric": "error_rate", "value": "0.05"}


def address(project: Project, place: str = "") -> str:
    return f"/{project.organization.slug}/{project.slug}/alerts/{place}"


def only_rule(project: Project) -> AlertRule:
    with organization_scope(project.organization_id):
        return AlertRule.objects.get()


def audited(project: Project) -> list[str]:
    with organization_scope(project.organization_id):
        found = AuditEvent.objects.filter(action__startswith="alert_rule.").order_by("id")
        return [each.action.removeprefix("alert_rule.") for each in found]


@pytest.fixture
def project(client: Client) -> Project:
    made = make_project()
    client.force_login(owner_of(made.organization))
    return made


def api(client: Client, project: Project, method: str, place: str = "", body: Any = None) -> Any:
    return client.generic(
        method,
        f"/api/v1/alerts{place}",
        data=b"" if body is None else json.dumps(body),
        content_type="application/json",
        headers={"Promptsaas-Project": project.public_id},
    )


def test_form__filled_in_without_script__makes_changes_and_deletes_a_rule(
    client: Client, project: Project
) -> None:
    prompt = make_prompt(project=project, name="support-reply", versions=2)
    member = member_of(project)
    chosen = FORM | {"prompt": prompt.public_id, "version": "2", "recipients": [member.public_id]}
    made = client.post(address(project, "new/"), chosen | {"renotify_hours": "4"})
    rule = only_rule(project)
    assert made["Location"] == address(project, f"{rule.public_id}/")
    assert (rule.value, rule.warn_value, rule.renotify_hours) == (Decimal("0.05"), Decimal("0.025"), 4)
    assert (rule.prompt_id, rule.version_number, rule.recipients) == (prompt.pk, 2, [member.pk])
    page = client.get(made["Location"]).content.decode()
    assert "prompt support-reply v2" in page
    assert "Not looked at yet" in page
    # Edited, it shows what it has, and begins anew.
    form = client.get(address(project, f"{rule.public_id}/edit/")).content.decode()
    assert 'value="2.5"' in form
    changed = chosen | {"value": "7.5", "warn_value": ""}
    assert client.post(address(project, f"{rule.public_id}/edit/"), changed).status_code == 302
    assert (only_rule(project).value, only_rule(project).warn_value) == (Decimal("0.075"), None)
    asked = client.get(address(project, f"{rule.public_id}/delete/")).content.decode()
    assert "Its history goes with it" in asked
    assert client.post(address(project, f"{rule.public_id}/delete/"))["Location"] == address(project)
    assert audited(project) == ["created", "updated", "deleted"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "This field is required"),
        ({"value": "many"}, "Enter a number"),
        ({"warn_value": "9"}, "A warning comes before the alert"),
        ({"version": "3"}, "choose the prompt as well"),
        ({"recipients": ["mbr_00000000000000000000000000"]}, "not one of the available choices"),
        ({"kind": "quota", "levels": []}, "This field is required"),
        (
            {"kind": "change", "compared_with": "week", "window_minutes": "5"},
            "Against a day or a week before, the window is from 1 hour",
        ),
        ({"kind": "change", "compared_with": "day", "value": "-3"}, "a number above 0"),
    ],
)
def test_form__what_can_not_be__is_said_at_its_field(
    client: Client, project: Project, changes: dict[str, Any], words: str
) -> None:
    answer = client.post(address(project, "new/"), FORM | changes)
    assert answer.status_code == 422
    assert words in answer.content.decode()


def test_preview__by_form_button_and_api__say_the_same_of_the_past_week(
    client: Client, project: Project
) -> None:
    for ago, failed in ((30, 30), (200, 20), (400, 3)):
        fill(project, failed=failed, ago=ago, requests=60)
    live = client.post(address(project, "preview/"), FORM | {"name": ""}).content.decode()
    button = client.post(address(project, "new/"), FORM | {"action": "try"}).content.decode()
    for page in (live, button):
        assert "It would have fired 2 times last week" in page
        assert "<polyline" in page
    body = {key: value for key, value in BODY.items() if key != "name"} | {"minimum_sample": 20}
    answer = api(client, project, "POST", "/preview", body).json()
    assert (answer["fired"], answer["looks"], len(answer["fired_at"])) == (2, 2016, 2)
    assert answer["largest"] == "0.5"
    nothing = api(client, project, "POST", "/preview", body | {"scope": {"label": "staging"}}).json()
    assert (nothing["fired"], nothing["largest"]) == (None, None)
    assert (
        "Not known"
        in client.post(address(project, "preview/"), FORM | {"minimum_sample": 999}).content.decode()
    )
    assert "Alert at" in client.post(address(project, "preview/"), FORM | {"value": ""}).content.decode()
    assert not audited(project)


def test_page__of_a_firing_rule__acknowledges_mutes_tests_and_lets_a_viewer_leave(
    client: Client, project: Project
) -> None:
    viewer = member_of(project)
    rule = make_alert_rule(
        project=project,
        name="Slow",
        state=AlertState.ALERT,
        recipients=[viewer.pk],
        evaluated_at=timezone.now(),
    )
    make_alert_event(rule=rule, mails=1)

    def act(verb: str, **data: str) -> AlertRule:
        answer = client.post(address(project, f"{rule.public_id}/{verb}/"), data)
        assert answer.status_code == 302
        return only_rule(project)

    assert act("acknowledge").acknowledged_by_id == owner_of(project.organization).pk
    assert timedelta(minutes=59) < act("mute", **{"for": "1h"}).muted_until - timezone.now()  # type: ignore[operator]
    assert act("mute", until="2020-01-01T00:00").muted_until is not None
    assert act("mute", **{"for": "none"}).muted_until is None
    act("test")
    assert [(each.subject.split(":")[0], each.to) for each in mail.outbox] == [("Test", [viewer.user.email])]
    assert "unsubscribe" not in mail.outbox[0].body
    assert not act("enable", enabled="0").enabled
    assert act("enable", enabled="1").state == AlertState.NO_DATA
    verbs = ["acknowledged", "muted", "unmuted", "tested", "disabled", "enabled"]
    assert audited(project) == verbs
    client.force_login(viewer.user)
    page = client.get(address(project, f"{rule.public_id}/")).content.decode()
    assert "Stop mails to me" in page
    assert "Edit rule" not in page
    act("leave")
    assert only_rule(project).recipients == []
    assert client.post(address(project, f"{rule.public_id}/mute/"), {"for": "1h"}).status_code == 403


def test_chosen_rules__are_changed_together_after_a_question(client: Client, project: Project) -> None:
    rules = [make_alert_rule(project=project, name=f"Rule {letter}") for letter in "abc"]
    firing = make_alert_rule(
        project=project, name="Firing", state=AlertState.WARN, evaluated_at=timezone.now()
    )
    asked = client.get(address(project, "acknowledge/"), {"select": "all"}).content.decode()
    assert "Acknowledge 1 rule?" in asked
    client.post(address(project, "acknowledge/"), {"select": "all", "matching": "1"})
    with organization_scope(project.organization_id):
        assert AlertRule.objects.filter(acknowledged_at__isnull=False).get() == firing
    chosen = {"id": [rule.public_id for rule in rules[:2]]}
    client.post(address(project, "mute/"), chosen | {"for": "1d"})
    client.post(address(project, "disable/"), chosen)
    with organization_scope(project.organization_id):
        assert AlertRule.objects.filter(enabled=False, muted_until__isnull=False).count() == 2
    assert client.post(address(project, "delete/"), {"select": "all", "matching": "3"}).status_code == 409
    assert client.post(address(project, "delete/"), {"select": "all", "matching": "4"}).status_code == 302
    with organization_scope(project.organization_id):
        assert not AlertRule.objects.exists()
    assert client.get(address(project)).status_code == 200


def test_api__rule__is_made_read_changed_acknowledged_muted_and_deleted(
    client: Client, project: Project
) -> None:
    member = member_of(project)
    made = api(client, project, "POST", "", BODY | {"recipients": [member.public_id], "minimum_sample": 5})
    assert made.status_code == 201
    rule = made.json()
    assert (rule["object"], rule["state"], rule["value"], rule["last_value"]) == (
        "alert_rule",
        "no_data",
        "0.05",
        None,
    )
    assert rule["description"] == "Error rate above 5\N{NO-BREAK SPACE}% over 1 hour"
    place = f"/{rule['id']}"
    assert api(client, project, "GET").json()["data"][0]["id"] == rule["id"]
    changed = api(client, project, "PATCH", place, {"warn_value": "0.01", "enabled": False}).json()
    assert (changed["warn_value"], changed["enabled"], changed["minimum_sample"]) == ("0.01", False, 5)
    assert changed["recipients"] == [member.public_id]
    refused = api(client, project, "POST", f"{place}/acknowledge")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "alert_not_firing")
    until = (timezone.now() + timedelta(days=1)).isoformat()
    assert api(client, project, "POST", f"{place}/mute", {"until": until}).json()["muted_until"]
    assert api(client, project, "POST", f"{place}/mute", {"until": None}).json()["muted_until"] is None
    assert api(client, project, "POST", f"{place}/test").json()["mails"] == 1
    assert [each["reason"] for each in api(client, project, "GET", f"{place}/events").json()["data"]] == [
        "test"
    ]
    assert api(client, project, "DELETE", place).status_code == 204
    assert api(client, project, "GET", place).status_code == 404


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"metric": "password"}, "metric", "parameter_invalid_choice"),
        ({"metric": None}, "metric", "alert_rule_invalid"),
        ({"value": None}, "value", "alert_rule_invalid"),
        ({"value": "NaN"}, "value", None),
        ({"window_minutes": 7}, "window_minutes", "parameter_invalid_choice"),
        ({"kind": "change", "value": "5"}, "compared_with", "alert_rule_invalid"),
        ({"scope": {"prompt": "nobody"}}, "scope.prompt", "alert_rule_invalid"),
        ({"scope": {"key": "key_00000000000000000000000000"}}, "scope.key", "alert_rule_invalid"),
        ({"recipients": ["stranger@example.com"]}, "recipients", "alert_rule_invalid"),
    ],
)
def test_api__what_can_not_be__names_field_and_reason(
    client: Client, project: Project, changes: dict[str, Any], param: str, code: str | None
) -> None:
    answer = api(client, project, "POST", "", BODY | changes)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == param
    assert code in (None, error["code"])


def test_api__strangers_member_and_rule__can_not_be_named(client: Client, project: Project) -> None:
    other = make_project()
    stranger, theirs = member_of(other), make_alert_rule(project=other)
    refused = api(client, project, "POST", "", BODY | {"recipients": [stranger.public_id]})
    assert refused.json()["error"]["param"] == "recipients"
    for method, place in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test")):
        assert api(client, project, method, f"/{theirs.public_id}{place}", {}).status_code == 404
    assert client.get(address(project, f"{theirs.public_id}/")).status_code == 404


def test_api__billing_member__can_be_told_of_the_quota_only(client: Client, project: Project) -> None:
    billing = member_of(project, Role.BILLING)
    told = {"recipients": [billing.public_id]}
    assert api(client, project, "POST", "", BODY | told).status_code == 400
    quota = {"name": "Quota", "kind": "quota", "levels": [80, 100]}
    assert api(client, project, "POST", "", quota | told).status_code == 201
    taken = api(client, project, "POST", "", quota)
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "name_taken")


def test_api__change_that_falls__is_written_without_a_sign(client: Client, project: Project) -> None:
    body = {"name": "Fewer calls", "kind": "change", "metric": "requests", "comparison": "below", "value": 40}
    made = api(client, project, "POST", "", body | {"compared_with": "week"}).json()
    assert made["value"] == "40"
    assert only_rule(project).value == -40
    assert "down by more than 40" in made["description"]
    patched = api(client, project, "PATCH", f"/{made['id']}", {"name": "Far fewer calls"}).json()
    assert (patched["value"], only_rule(project).value) == ("40", Decimal(-40))


def test_audit__key_reads_and_changes_nothing(client: Client, project: Project) -> None:
    _, token = make_api_key(project=project)
    headers = {"Authorization": f"Bearer {token}"}
    client.logout()
    assert client.get("/api/v1/alerts", headers=headers).status_code == 200
    refused = client.post("/api/v1/alerts", BODY, content_type="application/json", headers=headers)
    assert refused.status_code == 403


def test_quota_rule__member_who_may_not_see_usage__neither_makes_tries_nor_sees_one(
    client: Client, project: Project
) -> None:
    standing = make_alert_rule(project=project, kind="quota", name="Spent", levels=[80], state="alert")
    with organization_scope(project.organization_id):
        role = CustomRole.objects.create(
            organization=project.organization, name="Watcher", permissions=["runs.view", "alerts.manage"]
        )
        user = make_member(organization=project.organization)
        Membership.objects.filter(user=user).update(role="", custom_role=role)
    client.force_login(user)
    quota = {"name": "Quota", "kind": "quota", "levels": [80]}
    assert api(client, project, "POST", "", quota).status_code == 403
    assert api(client, project, "POST", "/preview", {"kind": "quota", "levels": [80]}).status_code == 403
    assert client.get(address(project, "new/"), {"kind": "quota"}).status_code == 403
    assert client.get(address(project, "new/")).status_code == 200
    assert api(client, project, "POST", "", BODY).status_code == 201
    for place in ("", "/events"):
        assert api(client, project, "GET", f"/{standing.public_id}{place}").status_code == 404
    assert [each["kind"] for each in api(client, project, "GET").json()["data"]] == ["threshold"]
    assert client.get(address(project, f"{standing.public_id}/")).status_code == 404
    home = f"/{project.organization.slug}/{project.slug}/"
    for page in (address(project), f"{home}home/alerts/", f"{home}search/?q=spe"):
        shown = client.get(page)
        assert (shown.status_code, b"Spent" in shown.content) == (200, False)
