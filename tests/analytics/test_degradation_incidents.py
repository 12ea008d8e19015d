"""Incidents on real roll-ups: opened, followed, closed by themselves; each organization for itself."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.analytics.counting.waiting import count_waiting
from apps.analytics.incidents import queries, services, watching
from apps.analytics.incidents.models import ClosedBecause, DegradationRule, Incident
from apps.analytics.incidents.reading import RECENT, active_versions, points_of
from apps.analytics.incidents.words import summary
from apps.analytics.models import Grain, Rollup, Segment
from apps.audit.actor import SYSTEM
from apps.audit.models import AuditEvent
from apps.core.errors import Conflict
from apps.core.models import OutboxMessage
from apps.core.scope import organization_scope, system_scope
from apps.prompts.models import Prompt
from apps.prompts.queries import resolved
from apps.prompts.services import move_label
from apps.runs.types import RunError
from apps.tenants.models import Project
from tests.analytics.support import write_runs
from tests.factories import make_incident, make_project, make_prompt, make_run_record, make_segment

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
# Later than anything that a test makes.
NOON = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + 2 * HOUR
# Buckets of 800 and 1,600 ms.
USUAL_MS, SLOW_MS = 292, 356


def called(
    project: Project, prompt: Prompt, *, number: int = 1, failed: int = 4, slow: bool = False, **segment: Any
) -> Segment:
    """A version that was called a hundred times in five minutes for two days, and fails from 11:30 on."""
    with organization_scope(project.organization_id):
        version = prompt.versions.get(number=number)
    made = make_segment(
        project=project, prompt_id=prompt.pk, version_id=version.pk, version_number=number, **segment
    )
    write(made, NOON - 26 * HOUR, NOON, failed=4)
    worsen(made, NOON - timedelta(minutes=30), NOON, failed=failed, slow=slow)
    return made


def write(
    segment: Segment, start: datetime, end: datetime, *, failed: int, slow: bool = False, requests: int = 100
) -> None:
    moments = [
        start + timedelta(minutes=5 * step) for step in range(int((end - start) / timedelta(minutes=5)))
    ]
    with system_scope():
        Rollup.all_organizations.bulk_create(
            Rollup(
                organization_id=segment.organization_id,
                segment=segment,
                grain=Grain.FIVE_MINUTES,
                starts_at=moment,
                requests=requests,
                failed=failed + step % 3 - 1 if failed else 0,
                priced=requests,
                cost=f"{requests * 0.004:.4f}",
                latency_buckets=[USUAL_MS - step % 3, SLOW_MS if slow else USUAL_MS + 8],
                latency_counts=[20, requests - 20],
            )
            for step, moment in enumerate(moments)
        )


def worsen(segment: Segment, start: datetime, end: datetime, **numbers: Any) -> None:
    with system_scope():
        Rollup.all_organizations.filter(segment=segment, starts_at__gte=start, starts_at__lt=end).delete()
    write(segment, start, end, **numbers)


def look(minutes: float = 1.5) -> int:
    """The job, so many minutes after noon."""
    return watching.look(NOON + timedelta(minutes=minutes))


def incidents(project: Project) -> list[Incident]:
    with organization_scope(project.organization_id):
        return list(Incident.objects.filter(project=project).order_by("id"))


def mean_logarithm(values: list[int]) -> float:
    return sum(map(math.log, values)) / len(values)


def topics() -> list[str]:
    with system_scope():
        return list(
            OutboxMessage.objects.filter(topic__startswith="incident.")
            .order_by("pk")
            .values_list("topic", flat=True)
        )


def test_look__errors_tripled__opens_one_incident_with_what_changed() -> None:
    project, other = make_project(), make_project()
    prompt = make_prompt(project=project, name="support-reply", versions=2)
    with organization_scope(project.organization_id):
        move_label(actor=SYSTEM, prompt=prompt, label="production", number=1, expected_number=None)
    called(project, prompt, failed=12)
    called(other, make_prompt(project=other))
    assert look() == 2
    [incident] = incidents(project)
    assert (incident.metric, incident.version_number, incident.rule) == ("error_rate", 1, "statistical")
    assert incident.before_value == pytest.approx(0.04, abs=0.002)
    assert incident.now_value == pytest.approx(0.12, abs=0.02)
    assert NOON - HOUR <= incident.began_at <= NOON - timedelta(minutes=10)
    assert incident.score is not None
    assert incident.score > 4.4
    kinds = {each["kind"] for each in incident.changes}
    assert kinds == {"version", "label"}
    label = next(each for each in incident.changes if each["kind"] == "label")
    assert (label["name"], label["before"], label["after"]) == ("production", "", "1")
    assert summary(incident).startswith("Error rate of v1 up from 4.0")
    assert incidents(other) == []
    assert topics() == ["incident.opened"]
    # The same five minutes are looked at once; the next look opens no second one.
    assert look(2.5) == 0
    write_more = NOON + timedelta(minutes=5)
    assert watching.look(write_more + timedelta(minutes=1)) == 2
    assert len(incidents(project)) == 1


def test_look__as_usual_again__closes_it_and_forgets_the_bad_time() -> None:
    project = make_project()
    segment = called(project, make_prompt(project=project), failed=12)
    look()
    write(segment, NOON, NOON + HOUR, failed=4)
    for minutes in (16.5, 21.5, 26.5):
        assert incidents(project)[0].is_open
        look(minutes)
    [incident] = incidents(project)
    assert incident.closed_because == ClosedBecause.RECOVERED
    assert topics()[-1] == "incident.closed"
    look(31.5)
    assert len(incidents(project)) == 1


def test_look__nobody_calls_any_more__closes_it() -> None:
    project = make_project()
    called(project, make_prompt(project=project), failed=12)
    look()
    look(66)
    assert incidents(project)[0].closed_because == ClosedBecause.QUIET


def test_look__a_day_later_still_so__becomes_usual() -> None:
    project = make_project()
    segment = called(project, make_prompt(project=project), failed=12)
    look()
    write(segment, NOON, NOON + 24 * HOUR, failed=12)
    look(24 * 60 + 1.5)
    assert incidents(project)[0].closed_because == ClosedBecause.SETTLED
    look(24 * 60 + 6.5)
    assert len(incidents(project)) == 1


def test_look__twice_as_slow__says_the_milliseconds_and_the_new_model() -> None:
    project = make_project()
    prompt = make_prompt(project=project)
    segment = called(project, prompt)
    with system_scope():
        Rollup.all_organizations.filter(segment=segment, starts_at__gte=NOON - HOUR).delete()
    new = make_segment(
        project=project,
        prompt_id=prompt.pk,
        version_id=segment.version_id,
        version_number=1,
        model="openai/gpt-5",
    )
    write(new, NOON - HOUR, NOON, failed=4, slow=True)
    look()
    [incident] = incidents(project)
    assert incident.metric == "latency"
    assert incident.before_value == pytest.approx(840, rel=0.1)
    assert incident.now_value > 1.5 * incident.before_value
    model = next(each for each in incident.changes if each["kind"] == "model")
    assert (model["before"], model["after"]) == ("openai/gpt-5-mini", "openai/gpt-5")


def test_look__sandbox_and_calls_without_version__are_not_watched() -> None:
    project = make_project()
    prompt = make_prompt(project=project)
    called(project, prompt, failed=40, sandbox=True)
    write(make_segment(project=project), NOON - 25 * HOUR, NOON, failed=50)
    assert look() == 0
    assert incidents(project) == []


def test_look__counting_is_far_behind__takes_nobody_for_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project()
    called(project, make_prompt(project=project), failed=12)
    look()
    monkeypatch.setattr(watching, "counted_until", lambda now: NOON)
    look(100)
    assert incidents(project)[0].is_open
    monkeypatch.undo()
    look(106)
    assert incidents(project)[0].closed_because == ClosedBecause.QUIET


def test_look__rule_off_or_simple__does_as_told() -> None:
    off, simple = make_project(), make_project()
    for project, rule in ((off, DegradationRule.OFF), (simple, DegradationRule.SIMPLE)):
        with organization_scope(project.organization_id):
            assert services.choose_rule(actor=SYSTEM, project=project, rule=rule)
            assert not services.choose_rule(actor=SYSTEM, project=project, rule=rule)
        called(project, make_prompt(project=project), failed=30)
    look()
    assert incidents(off) == []
    [incident] = incidents(simple)
    assert (incident.rule, incident.score, incident.chance) == ("simple", None, None)
    with organization_scope(simple.organization_id):
        services.choose_rule(actor=SYSTEM, project=simple, rule=DegradationRule.OFF)
    assert incidents(simple)[0].closed_because == ClosedBecause.RULE


def test_look__many_versions__costs_the_same_statements() -> None:
    project = make_project()
    prompt = make_prompt(project=project, versions=6)
    called(project, prompt, number=1)
    with CaptureQueriesContext(
        connection,
    ) as one:
        look()
    for number in range(2, 7):
        called(project, prompt, number=number)
    with CaptureQueriesContext(connection) as six:
        assert look(6.5) == 6
    assert len(six) == len(one)


def test_look__one_organization_fails__the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, project = make_project(), make_project()
    for each in (broken, project):
        called(each, make_prompt(project=each), failed=12)
    write_before = services.open_incident

    def refuse(**told: Any) -> Any:
        if told["project_id"] == broken.pk:
            raise RuntimeError("no")
        return write_before(**told)

    monkeypatch.setattr(services, "open_incident", refuse)
    look()
    assert incidents(broken) == []
    assert len(incidents(project)) == 1


def test_acknowledge__once__is_audited_and_a_closed_one_is_refused() -> None:
    project = make_project()
    incident = make_incident(project=project)
    with organization_scope(project.organization_id):
        first = services.acknowledge_incident(actor=SYSTEM, incident=incident)
        assert (
            services.acknowledge_incident(actor=SYSTEM, incident=incident).acknowledged_at
            == first.acknowledged_at
        )
        assert AuditEvent.objects.filter(action="incident.acknowledged").count() == 1
        services.close_incident(incident=incident, because=ClosedBecause.RECOVERED, now=datetime.now(UTC))
        assert not services.close_incident(incident=incident, because=ClosedBecause.QUIET, now=NOON)
        with pytest.raises(Conflict):
            services.acknowledge_incident(actor=SYSTEM, incident=incident)


def test_between__tells_what_was_open_when() -> None:
    project = make_project()
    old = make_incident(
        project=project,
        opened_at=NOON - 5 * HOUR,
        closed_at=NOON - 3 * HOUR,
        closed_because=ClosedBecause.RECOVERED,
    )
    lasting = make_incident(project=project, opened_at=NOON - HOUR)
    with organization_scope(project.organization_id):
        assert queries.between(project.pk, NOON - 4 * HOUR, NOON) == [old, lasting]
        assert queries.between(project.pk, NOON - 3 * HOUR, NOON) == [lasting]
        assert list(queries.open_incidents(project.pk)) == [lasting]
        assert list(queries.open_incidents(project.pk, prompt_id=old.prompt_id)) == []
    assert old.is_open_at(NOON - 4 * HOUR)
    assert not old.is_open_at(NOON - 3 * HOUR)


def test_look__runs_as_they_are_recorded__become_points_and_an_incident() -> None:
    project = make_project()
    prompt = make_prompt(project=project)
    now = datetime.now(UTC)
    until = now.replace(minute=now.minute - now.minute % 5, second=0, microsecond=0)
    with organization_scope(project.organization_id):
        version = resolved(prompt, prompt.versions.get(number=1))
    oh = RunError("provider_timeout", "provider_error", "Oh.", 500)
    records = []
    for index in range(400):
        lately = index >= 300
        minutes = 14 - (index - 300) * 0.14 if lately else 120 + 4 * (index % 300)
        failed = index % 2 == 0 if lately else index % 20 == 0
        made = make_run_record(
            project=project,
            prompt=version,
            at=until - timedelta(minutes=minutes),
            model="openai/gpt-5-mini",
            error=oh if failed else None,
        )
        records.append(replace(made, result=replace(made.result, latency_ms=500 + index % 100)))
    write_runs(project, records)
    assert count_waiting() == 400
    assert watching.look(until + timedelta(minutes=1.5)) == 1
    [incident] = [each for each in incidents(project) if each.metric == "error_rate"]
    assert (incident.before_value, incident.now_value) == (0.05, 0.5)
    assert (incident.before_count, incident.now_count) == (300, 100)
    with system_scope():
        [watched] = active_versions(until)
        [points] = points_of([watched], until, until - RECENT).values()
    latencies = [each.result.latency_ms for each in records if each.result.status == "succeeded"]
    assert sum(each.number for each in points.fine["latency"]) == len(latencies)
    mean = sum(map(math.log, latencies)) / len(latencies)
    assert sum(each.total for each in points.fine["latency"]) / len(latencies) == pytest.approx(
        mean, abs=0.005
    )
    assert sum(each.total for each in points.fine["error_rate"]) == 65
