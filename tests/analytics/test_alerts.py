"""Alert rules on real roll-ups: looked at, told, once each; other organizations and broken rules aside."""

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from apps.analytics.alerts import observing, services, watching
from apps.analytics.alerts.evaluation import Standing, advance
from apps.analytics.alerts.models import AlertEvent, AlertKind, AlertRule, AlertState
from apps.analytics.alerts.replaying import would_have_fired
from apps.analytics.alerts.spec import RuleSpec, spec_of
from apps.analytics.incidents.models import Incident
from apps.analytics.models import Grain
from apps.audit.actor import SYSTEM
from apps.billing import plans
from apps.billing.models import Quota, UsageEvent
from apps.core import ids
from apps.core.mail import message_text
from apps.core.models import OutboxMessage, OutgoingMail
from apps.core.scope import organization_scope, system_scope
from apps.runs.models import UncountedRuns
from apps.tenants.models import Membership, Project
from apps.tenants.roles import Role
from tests.factories import (
    make_alert_event,
    make_alert_rule,
    make_member,
    make_project,
    make_quota,
    make_rollup,
    make_segment,
)

pytestmark = pytest.mark.django_db(transaction=True)

# An hour that is over: figures are known up to now only.
NOON = (datetime.now(UTC) - timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)


@pytest.fixture(autouse=True)
def _house_mail(settings: Any) -> None:
    settings.EMAIL_BACKEND = "apps.core.mail.OutboxBackend"


def member_of(project: Project, role: Role = Role.VIEWER) -> Membership:
    user = make_member(organization=project.organization, role=role)
    with organization_scope(project.organization_id):
        return Membership.objects.select_related("user").get(user=user)


def fill(project: Project, *, failed: int, requests: int = 100, ago: int = 1, **segment: Any) -> None:
    """Runs in the five minutes that begin `ago` steps before noon, in all grains that rules read."""
    starts_at = NOON - timedelta(minutes=5 * ago)
    made = make_segment(project=project, **segment)
    numbers = {"requests": requests, "failed": failed}
    make_rollup(segment=made, grain=Grain.FIVE_MINUTES, starts_at=starts_at, **numbers)
    make_rollup(segment=made, grain=Grain.HOUR, starts_at=starts_at.replace(minute=0), **numbers)


def look(project: Project, *, minutes: int = 2, rule: AlertRule | None = None) -> int:
    """The job, so many minutes after noon; what is due is that which the rule's own clock says."""
    if rule is not None:
        with organization_scope(project.organization_id):
            AlertRule.objects.filter(pk=rule.pk).update(due_at=NOON - timedelta(minutes=5))
    return watching.look_at_due_rules(NOON + timedelta(minutes=minutes))


def mails() -> list[tuple[str, list[str], str]]:
    with system_scope():
        rows = OutgoingMail.objects.order_by("id")
        return [(row.subject, row.recipients, message_text(row)) for row in rows]


def again(rule: AlertRule) -> AlertRule:
    with organization_scope(rule.organization_id):
        return AlertRule.objects.get(pk=rule.pk)


def events(rule: AlertRule) -> list[tuple[str, str, str, int]]:
    with organization_scope(rule.organization_id):
        found = AlertEvent.objects.filter(rule=rule).order_by("id")
        return [(each.reason, each.from_state, each.to_state, each.mails) for each in found]


def test_rule__beyond_its_limit__tells_each_member_once_and_hands_on() -> None:
    project = make_project()
    first, second = member_of(project), member_of(project)
    rule = make_alert_rule(
        project=project, name="Too many errors", recipients=[first.pk, second.pk], due_at=NOON
    )
    fill(project, failed=30)
    assert look(project) == 1
    rule = again(rule)
    assert (rule.state, str(rule.last_value), rule.last_sample) == ("alert", "0.3000000000", 100)
    assert rule.notified_at == rule.evaluated_until == NOON
    assert events(rule) == [("changed", "no_data", "alert", 2)]
    sent = mails()
    assert [to for _, to, _ in sent] == [[first.user.email], [second.user.email]]
    subject, _, text = sent[0]
    assert subject == f"Alert: Too many errors · {project.name}"
    for words in ("Error rate above 5", "Measured: 30", "of 100 calls", rule.public_id):
        assert words in text
    with system_scope():
        handed_on = OutboxMessage.objects.get(topic="alert.fired")
    assert handed_on.payload["id"] == rule.public_id
    # The same moment is looked at once, and the next has the same to say.
    assert look(project) == 0
    assert look(project, minutes=7) == 1
    assert len(mails()) == 2


def test_rule__recovered__says_so_to_whom_it_was_told_and_only_after_a_while() -> None:
    project = make_project()
    rule = make_alert_rule(
        project=project,
        recipients=[member_of(project).pk],
        window_minutes=5,
        state=AlertState.OK,
        due_at=NOON,
    )
    fill(project, failed=30)
    for late in range(5):
        starts_at = NOON + timedelta(minutes=5 * late)
        make_rollup(
            segment=make_segment(project=project), grain=Grain.FIVE_MINUTES, starts_at=starts_at, requests=50
        )
    for minutes in (2, 7, 12, 17):
        assert look(project, minutes=minutes) == 1
    assert again(rule).state == "alert"
    assert again(rule).calm_since == NOON + timedelta(minutes=5)
    assert look(project, minutes=22) == 1
    assert events(rule)[-1] == ("changed", "alert", "ok", 1)
    assert [subject.partition(":")[0] for subject, _, _ in mails()] == ["Alert", "Back to OK"]
    with system_scope():
        assert OutboxMessage.objects.filter(topic="alert.resolved").count() == 1


def test_rule__too_few_calls_or_unknown_cost__is_no_data_and_never_ok() -> None:
    project = make_project()
    few = make_alert_rule(project=project, minimum_sample=104, due_at=NOON)
    cost = make_alert_rule(project=project, metric="cost", value=5, comparison="above", due_at=NOON)
    none = make_alert_rule(project=project, metric="errors", value=1, label="nobody", due_at=NOON)
    silent = make_alert_rule(
        project=project, kind=AlertKind.NO_DATA, metric="requests", value=None, label="nobody", due_at=NOON
    )
    fill(project, failed=30, label="production")
    made = make_segment(project=project)
    make_rollup(
        segment=made,
        grain=Grain.FIVE_MINUTES,
        starts_at=NOON - timedelta(minutes=5),
        requests=3,
        unknown_price=3,
    )
    assert look(project) == 4
    assert [again(rule).state for rule in (few, cost, none, silent)] == ["no_data", "no_data", "ok", "alert"]
    assert again(cost).last_value is None
    # Of nothing there are no errors, which is known; and nobody called.
    assert again(none).last_value == 0


def test_rule__change_against_the_day_before__is_looked_at_by_the_hour() -> None:
    project = make_project()
    spec = RuleSpec(AlertKind.CHANGE, "error_rate", value=Decimal(5), compared_with="day", minimum_sample=20)
    with organization_scope(project.organization_id):
        rule = services.create_rule(actor=SYSTEM, project=project, name="Worse than yesterday", spec=spec)
        AlertRule.objects.filter(pk=rule.pk).update(due_at=NOON)
    segment = make_segment(project=project)
    for ago, failed in ((1, 8), (25, 2)):
        make_rollup(segment=segment, starts_at=NOON - timedelta(hours=ago), requests=100, failed=failed)
    assert look(project) == 1
    rule = again(rule)
    assert (rule.state, rule.last_value, rule.due_at) == ("alert", Decimal(6), NOON + timedelta(hours=1))


def test_rule__broken__says_so_and_stops_no_other() -> None:
    project = make_project()
    broken = make_alert_rule(project=project, metric="of_another_time", due_at=NOON - timedelta(hours=1))
    fine = make_alert_rule(project=project, due_at=NOON)
    fill(project, failed=1)
    assert look(project) == 1
    assert again(broken).problem == watching.PROBLEM
    assert again(broken).due_at > NOON
    assert (again(fine).state, again(fine).problem) == ("ok", "")


def test_rule__that_another_job_looks_at__is_skipped() -> None:
    project = make_project()
    held = make_alert_rule(project=project, due_at=NOON)
    free = make_alert_rule(project=project, due_at=NOON)
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with organization_scope(project.organization_id):
                AlertRule.objects.select_for_update().get(pk=held.pk)
                taken.set()
                done.wait(20)
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert taken.wait(20)
    try:
        assert look(project) == 1
    finally:
        done.set()
        holder.join()
    assert again(free).evaluated_at is not None
    assert again(held).evaluated_at is None


def test_rules__of_two_organizations__see_their_own_calls_only() -> None:
    mine, theirs = make_project(), make_project()
    rule = make_alert_rule(project=mine, due_at=NOON)
    other = make_alert_rule(project=theirs, due_at=NOON)
    fill(mine, failed=0)
    fill(theirs, failed=90)
    assert watching.look_at_due_rules(NOON + timedelta(minutes=2)) == 2
    assert (again(rule).state, again(other).state) == ("ok", "alert")


def test_rule__figures_that_are_not_counted_yet__waits_for_them() -> None:
    project = make_project()
    rule = make_alert_rule(project=project, due_at=NOON)
    with system_scope():
        waiting = UncountedRuns(
            id=ids.first_of(NOON - timedelta(minutes=7)), organization_id=project.organization_id, run_ids=[]
        )
        waiting.save(force_insert=True)
    assert look(project) == 1
    assert again(rule).evaluated_until == NOON - timedelta(minutes=10)
    assert look(project) == 0


def test_quota__each_level__is_told_exactly_once_a_month() -> None:
    project = make_project()
    member = member_of(project)
    rule = make_alert_rule(
        project=project,
        kind=AlertKind.QUOTA,
        metric="",
        value=None,
        levels=[50, 80, 100],
        recipients=[member.pk],
        due_at=NOON,
    )
    quota = make_quota(organization=project.organization, cap=100, used=40)
    with organization_scope(project.organization_id):
        Quota.objects.filter(pk=quota.pk).update(period_start=plans.period_start(NOON))
    for used in (40, 85, 85, 100, 130):
        with organization_scope(project.organization_id):
            Quota.objects.filter(pk=quota.pk).update(used=used)
            AlertRule.objects.filter(pk=rule.pk).update(evaluated_until=None)
        assert look(project, rule=rule) == 1
    with organization_scope(project.organization_id):
        told = list(
            AlertEvent.objects.filter(level__isnull=False).order_by("id").values_list("level", "mails")
        )
        event = AlertEvent.objects.filter(level=100).get()
    # From 40 to 85 in one go two levels are reached, and the higher one is told.
    assert told == [(50, 0), (80, 1), (100, 1)]
    assert [subject.partition(":")[0] for subject, _, _ in mails()] == [
        "80 % of the quota",
        "100 % of the quota",
    ]
    assert (again(rule).state, again(rule).last_value) == ("alert", Decimal("1.3"))
    # The database holds it as well.
    with pytest.raises(IntegrityError), organization_scope(project.organization_id):
        make_alert_event(rule=rule, level=100, period_start=event.period_start)


def test_recipients__who_left_or_may_not_see__get_nothing() -> None:
    project = make_project()
    stays, leaves, billing = member_of(project), member_of(project), member_of(project, Role.BILLING)
    rule = make_alert_rule(project=project, recipients=[stays.pk, leaves.pk, billing.pk], due_at=NOON)
    with organization_scope(project.organization_id):
        leaves.delete()
    fill(project, failed=50)
    assert look(project) == 1
    assert [to for _, to, _ in mails()] == [[stays.user.email]]
    assert events(rule)[0][-1] == 1


@pytest.mark.parametrize("window", [5, 60])
def test_replay__of_the_week__equals_what_the_job_did(window: int) -> None:
    project = make_project()
    rule = make_alert_rule(project=project, window_minutes=window, minimum_sample=10, warn_value="0.02")
    failures = [0, 30, 0, 0, 0, 0, 3, 4, 90, 90, 0, 0, 0, 0, 0, 1, 50, 0, 0, 0, 0, 0]
    for number, failed in enumerate(reversed(failures)):
        fill(project, failed=failed, requests=100 if failed else 40, ago=number + 1)
    spec = spec_of(rule)
    with organization_scope(project.organization_id):
        now = NOON + timedelta(minutes=2)
        found = would_have_fired(project, spec, now)
        standing, changes = Standing(AlertState.NO_DATA, found.start), []
        for at in observing.steps_of_week(spec, NOON)[-len(failures) - 20 :]:
            seen = observing.observe(project.pk, spec, [at], now)[0]
            assert seen in found.observations
            before, standing = standing, advance(standing, spec.limits, seen).standing
            if standing.state == AlertState.ALERT and before.state != AlertState.ALERT:
                changes.append(at)
    assert found.replay.moments == tuple(changes)
    assert found.replay.alerts == len(changes) >= 1


def test_evaluation__any_rule__takes_as_many_statements_for_long_windows_as_for_short() -> None:
    counts = set()
    for window, compared in ((5, ""), (60, "week")):
        project = make_project()
        kind = AlertKind.CHANGE if compared else AlertKind.THRESHOLD
        make_alert_rule(
            project=project, kind=kind, compared_with=compared, window_minutes=window, value=900, due_at=NOON
        )
        for ago in range(1, 6):
            fill(project, failed=ago, ago=ago * 5)
        with CaptureQueriesContext(connection) as statements:
            assert look(project) == 1
        counts.add(len(statements))
    assert len(counts) == 1
    assert counts.pop() <= 16


def test_incidents__open_and_a_further_one__are_told_once_each() -> None:
    project = make_project()
    rule = make_alert_rule(
        project=project,
        kind=AlertKind.DEGRADATION,
        metric="",
        value=None,
        recipients=[member_of(project).pk],
        due_at=NOON,
    )
    make_incident(project, opened_at=NOON - timedelta(minutes=3))
    assert [look(project), look(project, minutes=7)] == [1, 1]
    make_incident(project, opened_at=NOON + timedelta(minutes=8))
    assert look(project, minutes=12) == 1
    assert events(rule) == [("changed", "no_data", "alert", 1), ("changed", "alert", "alert", 1)]
    assert again(rule).last_value == 2
    first, second = (text for _, _, text in mails())
    assert first.count("/incidents/inc_") == 1
    assert second.count("/incidents/inc_") == 2
    assert "Error rate of v1 up from 2.0" in first
    with organization_scope(project.organization_id):
        found = would_have_fired(project, spec_of(rule), NOON + timedelta(minutes=12))
    assert (found.replay.alerts, found.replay.mails) == (1, 2)


def make_incident(project: Project, *, opened_at: datetime) -> None:
    with organization_scope(project.organization_id):
        Incident.objects.create(
            organization_id=project.organization_id,
            project=project,
            prompt_id=ids.uuid7(),
            version_id=ids.uuid7(),
            version_number=1,
            metric="error_rate",
            rule="statistical",
            began_at=opened_at,
            opened_at=opened_at,
            looked_until=opened_at,
            window_minutes=60,
            before_value=0.02,
            now_value=0.2,
            last_value=0.2,
            before_count=1000,
            now_count=100,
        )


def test_quota_replay__levels_passed_this_week__are_counted() -> None:
    project = make_project()
    spec = RuleSpec(AlertKind.QUOTA, levels=(50, 80, 100))
    now = datetime.now(UTC)
    make_quota(organization=project.organization, cap=100, used=85)
    with organization_scope(project.organization_id):
        UsageEvent.objects.create(
            organization_id=project.organization_id,
            meter=plans.RUNS,
            quantity=40,
            key="run:1",
            source_kind="run",
            source_id=ids.uuid7(),
            occurred_at=now,
        )
        found = would_have_fired(project, spec, now).replay
    # Before this week 45 were used, or none if the month has just begun: 50 and 80 were passed in any case.
    assert found.alerts == 2
