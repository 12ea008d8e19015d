import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from apps.analytics.models import Grain
from apps.core.scope import organization_scope
from apps.prompts.queries import resolve
from apps.runs.types import RunError
from apps.tenants.models import APIKey, Project
from apps.tenants.roles import Role
from tests.factories import (
    make_alert_rule,
    make_api_key,
    make_member,
    make_project,
    make_prompt,
    make_rollup,
    make_run,
    make_segment,
    owner_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def owner(client: Client, project: Project) -> Client:
    client.force_login(owner_of(project.organization))
    return client


def address(project: Project, rest: str = "") -> str:
    return f"/{project.organization.slug}/{project.slug}/{rest}"


def test_home__new_project__leads_to_the_quickstart_until_it_is_skipped(
    owner: Client, project: Project
) -> None:
    response = owner.get(address(project))
    assert response["Location"] == address(project, "welcome/")
    assert "0 of 5" in owner.get(response["Location"]).content.decode()
    assert owner.post(address(project, "welcome/skip/"))["Location"] == address(project)
    page = owner.get(address(project)).content.decode()
    assert "0 of 5 steps are done" in page
    assert page.count("data-panel") == 7


def test_home__member_who_can_run_nothing__is_not_sent_away(client: Client, project: Project) -> None:
    client.force_login(make_member(organization=project.organization, role=Role.VIEWER))
    assert client.get(address(project)).status_code == 200


def test_welcome__prompt_and_key_exist__steps_done_and_call_to_paste(owner: Client, project: Project) -> None:
    make_prompt(project=project, name="review/sentiment", versions=2, labels={"production": 1})
    make_api_key(project=project)
    page = owner.get(address(project, "welcome/")).content.decode()
    assert "2 of 5" in page
    for words in ("prompt:review/sentiment@production", "from openai import OpenAI", "await fetch("):
        assert words in page
    assert "Waiting for your first request" in page


def test_welcome__key_made_there__stands_once_in_all_code(owner: Client, project: Project) -> None:
    make_prompt(project=project, name="review/sentiment")
    made = owner.post(address(project, "welcome/key/"))
    token = re.findall(r"psk_live_\w+", made.content.decode())
    assert len(token) == 4
    assert len(set(token)) == 1
    assert made["Cache-Control"] == "no-store"
    assert token[0] not in owner.get(address(project, "welcome/")).content.decode()
    with organization_scope(project.organization_id):
        assert APIKey.objects.get(name="First call").scopes == ["read", "run"]


def test_first_call__still_waiting_then_there__turns_green_and_stops(owner: Client, project: Project) -> None:
    waiting = owner.get(address(project, "welcome/call/"))
    assert waiting.status_code == 200
    assert b'hx-trigger="every 2s"' in waiting.content
    run = make_run(project=project, source="gateway")
    found = owner.get(address(project, "welcome/call/"))
    assert found.status_code == 286
    assert run.public_id in found.content.decode()


def test_failing_panel__failed_runs_of_a_prompt__how_many_of_how_many(
    owner: Client, project: Project
) -> None:
    make_prompt(project=project, name="support-reply")
    with organization_scope(project.organization_id):
        prompt = resolve(project_id=project.id, name="support-reply", label=None, number=1)
    failure = RunError("provider_failed", "api_error", "It broke.")
    for error in (failure, None, None):
        make_run(project=project, prompt=prompt, error=error)
    assert "1 of 3 runs, 33" in owner.get(address(project, "home/failing/")).content.decode()


def test_home__stranger__not_found(client: Client, project: Project) -> None:
    client.force_login(owner_of(make_project().organization))
    assert client.get(address(project)).status_code == 404


def test_home__anonymous__sent_to_sign_in(client: Client, project: Project) -> None:
    response = client.get(address(project))
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")


def test_home__the_organizations_new_page__is_not_a_project(owner: Client, project: Project) -> None:
    assert owner.get(f"/{project.organization.slug}/new/").status_code == 200


@pytest.mark.parametrize("panel", ["activity", "alerts", "batches", "failing", "labels", "drafts", "quota"])
def test_panel__owner__answers(owner: Client, project: Project, panel: str) -> None:
    response = owner.get(address(project, f"home/{panel}/"))
    assert response.status_code == 200
    assert b"<html" not in response.content


def test_panel__role_without_the_right__refused_and_not_offered(client: Client, project: Project) -> None:
    client.force_login(make_member(organization=project.organization, role=Role.BILLING))
    assert client.get(address(project, "home/labels/")).status_code == 403
    assert b"home/labels/" not in client.get(address(project)).content


def test_activity_panel__rolled_up__day_against_yesterday_and_unknown_is_said(
    owner: Client, project: Project
) -> None:
    segment = make_segment(project=project)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    known = {"requests": 1_200, "failed": 3, "cost": Decimal("4.20"), "priced": 1_190, "unknown_price": 10}
    for grain in (Grain.FIVE_MINUTES, Grain.HOUR, Grain.DAY):
        make_rollup(segment=segment, grain=grain, starts_at=midnight, **known)
        make_rollup(
            segment=segment,
            grain=grain,
            starts_at=midnight - timedelta(days=1),
            requests=5,
            unknown_price=5,
        )
    page = owner.get(address(project, "home/activity/")).content.decode()
    assert ">1,200</span>" in page
    assert "5 yesterday" in page
    assert ">$4.20</span>" in page
    assert "unknown yesterday; 10 runs of unknown price not in it" in page


def test_labels_panel__moved_label__from_and_to(owner: Client, project: Project) -> None:
    make_prompt(project=project, name="support-reply", versions=2, labels={"production": 2})
    page = owner.get(address(project, "home/labels/")).content.decode()
    assert "support-reply" in page
    assert "production <b>v2</b>" in page


def test_welcome__member_who_sees_no_prompts__learns_no_name(client: Client, project: Project) -> None:
    make_prompt(project=project, name="secret/plan")
    client.force_login(make_member(organization=project.organization, role=Role.BILLING))
    page = client.get(f"/{project.organization.slug}/{project.slug}/welcome/").content.decode()
    assert "secret/plan" not in page


def test_alerts_panel__rule_that_fires__first_with_its_value(owner: Client, project: Project) -> None:
    assert "No alert rule watches" in owner.get(address(project, "home/alerts/")).content.decode()
    make_alert_rule(project=project, name="Quiet", state="ok")
    assert "1 rule watches, and none fires." in owner.get(address(project, "home/alerts/")).content.decode()
    make_alert_rule(project=project, name="Slow", metric="latency_p95", state="alert", last_value=4200)
    make_alert_rule(project=project, name="Off", state="alert", enabled=False)
    page = owner.get(address(project, "home/alerts/")).content.decode()
    assert "Slow</a>" in page
    assert "4.20" in page
    assert "Quiet" not in page
    assert "Off</a>" not in page
