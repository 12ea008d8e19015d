"""Roll-ups against what they must say: exactly once, however late, whatever is killed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import DataError, connection

from apps.analytics import histograms
from apps.analytics.counting import waiting
from apps.analytics.counting.history import count_history, is_history_counted
from apps.analytics.counting.keeping import note_purged_facts, purge_rollups
from apps.analytics.counting.recounting import recount_day
from apps.analytics.counting.waiting import count_waiting
from apps.analytics.freshness import rolled_up_until
from apps.analytics.models import Grain, Rollup, Segment
from apps.core import crypto
from apps.core.scope import organization_scope, system_scope
from apps.providers.pricing import Price
from apps.providers.types import Usage
from apps.runs import record_rows
from apps.runs.feedback import Giver
from apps.runs.models import Run, UncountedRuns
from apps.runs.services import give_feedback, remove_feedback
from apps.runs.types import RunError, RunRecord
from apps.tenants.models import Project
from tests.factories import make_project, make_rollup, make_run, make_run_record, make_segment

pytestmark = pytest.mark.django_db(transaction=True)

TIMEOUT = RunError("provider_timeout", "provider_error", "No answer.", 504)
MISFIT = RunError("output_invalid", "provider_error", "Not JSON.", 422)
NOON = datetime.now(UTC).replace(hour=12, minute=2, second=0, microsecond=0) - timedelta(days=2)
SOMEBODY = Giver("told:1", "Somebody")


def _write(project: Project, *records: RunRecord) -> list[UUID]:
    """As the recorder does: one statement."""
    with organization_scope(project.organization_id), connection.cursor() as cursor:
        key = crypto.data_key(project.organization_id)
        rows = sorted((record_rows.seal(record, key) for record in records), key=lambda row: row.run_id)
        cursor.execute(record_rows.STATEMENT, record_rows.parameters(rows))
    return [record.request.run_id for record in records]


def _record(project: Project, *, overrides: tuple[str, ...] = (), **values: Any) -> RunRecord:
    """A run of a real model at noon; `usage`, `price` and `latency_ms` go into its result."""
    given = {name: values.pop(name) for name in ("usage", "price", "latency_ms") if name in values}
    record = make_run_record(project=project, **{"model": "openai/gpt-5-mini", "at": NOON, **values})
    price = Price("priced", Decimal("0.002"))
    return replace(record, result=replace(record.result, **{"price": price, **given}), overrides=overrides)


def _rollups(project: Project, grain: Grain = Grain.DAY) -> list[Rollup]:
    with organization_scope(project.organization_id):
        return list(Rollup.objects.filter(grain=grain).order_by("starts_at", "-requests"))


def _differences(day: datetime = NOON, **options: Any) -> int:
    return recount_day(day.date(), **options).different


def test_count__every_kind_of_run__says_what_it_was() -> None:
    project = make_project()
    records = (
        _record(project, latency_ms=100, overrides=("parameter:seed", "variable:tone")),
        _record(project, latency_ms=90_000, overrides=("variable:tone",)),
        _record(project, price=Price("free", Decimal(0)), latency_ms=100),
        _record(project, price=Price("unknown", None), usage=Usage(None, None, None)),
        replace(_record(project, error=TIMEOUT, usage=Usage(), price=None), usage_origin="none"),
        _record(project, error=MISFIT),
        _record(project, cached_from=UUID(int=1), price=Price("none", Decimal(0)), usage=Usage(0, 0, 0)),
    )
    cancelled = _record(project, error=replace(TIMEOUT, code="cancelled"), price=None)
    cancelled = replace(cancelled, result=replace(cancelled.result, status="cancelled"))
    _write(project, *records, cancelled)
    assert count_waiting() == 8
    [row] = _rollups(project)
    assert (row.requests, row.failed, row.cancelled, row.cache_hits) == (8, 2, 1, 1)
    assert row.errors == {"provider_timeout": 1, "output_invalid": 1}
    assert row.schema_failures == 1
    assert (row.input_tokens, row.output_tokens, row.unknown_tokens) == (5 * 12, 5 * 5, 1)
    assert (row.cost, row.priced, row.free, row.unknown_price) == (Decimal("0.006"), 3, 1, 1)
    assert row.overrides == {"any": 2, "variable:tone": 2, "parameter:seed": 1}
    timed = histograms.histogram_of([100, 100, 42, 90_000])
    assert (tuple(row.latency_buckets), tuple(row.latency_counts)) == (timed.buckets, timed.counts)
    assert row.latency_sum == 100 + 100 + 42 + 90_000
    assert _differences() == 0


def test_count__runs_of_several_groups__are_added_in_every_grain() -> None:
    project = make_project()
    moments = [NOON, NOON + timedelta(minutes=4), NOON + timedelta(hours=3), NOON - timedelta(days=1)]
    for moment in moments:
        _write(project, _record(project, at=moment, error=TIMEOUT), _record(project, at=moment))
        count_waiting()
    assert count_waiting() == 0
    starts = [
        (row.starts_at.hour, row.starts_at.minute, row.requests) for row in _rollups(project, Grain.HOUR)
    ]
    assert starts == [(12, 0, 2), (12, 0, 4), (15, 0, 2)]
    assert [row.starts_at.minute for row in _rollups(project, Grain.FIVE_MINUTES)] == [0, 0, 5, 0]
    assert [row.errors for row in _rollups(project)] == [{"provider_timeout": 1}, {"provider_timeout": 3}]
    assert [row.latency_counts for row in _rollups(project)] == [[1], [3]]
    assert _differences() == _differences(NOON - timedelta(days=1)) == 0


def test_count__runs_that_differ_in_one_dimension__have_segments_of_their_own() -> None:
    project = make_project()
    varied: tuple[dict[str, Any], ...] = (
        {},
        {"label": "production"},
        {"source": "batch"},
        {"model": "openai/gpt-5"},
        {"api_key_id": UUID(int=7)},
    )
    _write(project, *(_record(project, **each) for each in varied), _record(project))
    count_waiting()
    assert [row.requests for row in _rollups(project)] == [2, 1, 1, 1, 1]
    with organization_scope(project.organization_id):
        assert Segment.objects.count() == 5


def test_count__a_record_that_was_told_twice__stands_once() -> None:
    project = make_project()
    record = _record(project)
    _write(project, record)
    count_waiting()
    _write(project, record)
    assert count_waiting() == 0
    assert [row.requests for row in _rollups(project)] == [1]


def test_count__that_is_broken_off__leaves_everything_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project()
    run = make_run(project=project, at=NOON)
    with organization_scope(project.organization_id):
        give_feedback(giver=SOMEBODY, run=run, score=4)
    with monkeypatch.context() as patch:
        patch.setattr(waiting, "_COUNT", f"{waiting._COUNT} HAVING 1 / (count(*) - count(*)) > 0")
        with pytest.raises(DataError):
            count_waiting()
    assert _rollups(project) == []
    assert count_waiting() == 1
    [row] = _rollups(project)
    assert (row.requests, row.feedback_sum, row.feedback_count) == (1, 4, 1)


def test_count__feedback__counts_for_its_run_and_follows_every_change() -> None:
    project = make_project()
    run = make_run(project=project, at=NOON)
    seen = []
    with organization_scope(project.organization_id):
        feedback, _ = give_feedback(giver=SOMEBODY, run=run, score=2)
        give_feedback(giver=Giver("told:2", "2"), run=run, score=5)
    steps = (
        lambda: None,
        lambda: give_feedback(giver=SOMEBODY, run=run, score=3),
        lambda: give_feedback(giver=SOMEBODY, run=run, score=None, comment="Well."),
        lambda: give_feedback(giver=SOMEBODY, run=run, score=1),
        lambda: remove_feedback(giver=SOMEBODY, feedback=feedback),
    )
    for step in steps:
        with organization_scope(project.organization_id):
            step()
        assert _differences() == 0
        count_waiting()
        [row] = _rollups(project)
        seen.append((row.requests, row.feedback_sum, row.feedback_count))
        assert _differences() == 0
    assert seen == [(1, 7, 2), (1, 8, 2), (1, 5, 1), (1, 6, 2), (1, 5, 1)]


def test_count__another_organizations_run__counts_for_nobody() -> None:
    project, other = make_project(), make_project()
    run = make_run(project=other, at=NOON)
    count_waiting()
    with organization_scope(project.organization_id):
        UncountedRuns.objects.create(organization_id=project.organization_id, run_ids=[run.pk])
    assert count_waiting() == 0
    assert (_rollups(project), [row.requests for row in _rollups(other)]) == ([], [1])


def test_recount__what_was_changed_by_hand__is_found_and_repaired() -> None:
    project = make_project()
    _write(project, _record(project), _record(project, label="production"))
    count_waiting()
    with system_scope():
        gone, wrong = Rollup.all_organizations.filter(grain=Grain.DAY)
        gone.delete()
        Rollup.all_organizations.filter(pk=wrong.pk).update(requests=7, errors={"made_up": 1})
        segment = make_segment(project=project, label="never")
    make_rollup(segment=segment, starts_at=NOON.replace(hour=0, minute=0), grain=Grain.DAY, requests=1)
    found = recount_day(NOON.date())
    assert found.different == 3
    assert found.runs == 2
    changed = [each.columns for each in found.differences if None not in each.columns["requests"]]
    assert changed == [{"requests": (7, 1), "errors": ({"made_up": 1}, {})}]
    other = make_project()
    assert _differences(organization_id=other.organization_id) == 0
    assert _differences(repair=True) == 3
    assert _differences() == 0
    assert [row.requests for row in _rollups(project)] == [1, 1]


def test_recount__while_runs_wait__leaves_them_to_the_job() -> None:
    project = make_project()
    _write(project, _record(project))
    assert _differences() == 0
    assert _differences(repair=True) == 0
    assert _rollups(project) == []
    count_waiting()
    assert _differences() == 0


def test_recount__facts_that_retention_has_deleted__are_not_missed() -> None:
    project = make_project()
    _write(project, _record(project))
    count_waiting()
    with system_scope():
        note_purged_facts(
            organization_id=project.organization_id, project_id=project.id, until=NOON + timedelta(days=1)
        )
        Run.all_organizations.all().delete()
    assert _differences(repair=True) == 0
    assert [row.requests for row in _rollups(project)] == [1]


def test_history__runs_from_before_the_roll_ups__are_counted_once() -> None:
    project = make_project()
    _write(project, _record(project), _record(project, at=NOON - timedelta(days=9)))
    with system_scope(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM runs_uncountedruns")
    _write(project, _record(project))
    assert not is_history_counted()
    assert count_history(seconds=0) == 0
    assert count_history() == 2
    count_waiting()
    assert is_history_counted()
    assert count_history() == 0
    assert [row.requests for row in _rollups(project)] == [1, 2]
    assert _differences() == _differences(NOON - timedelta(days=9)) == 0


def test_keep__five_minute_rows__go_after_eight_days() -> None:
    project = make_project()
    old = NOON - timedelta(days=9)
    _write(project, _record(project), _record(project, at=old))
    count_waiting()
    segment = make_segment(project=project)
    make_rollup(segment=segment, starts_at=old.replace(minute=0), grain=Grain.FIVE_MINUTES, requests=1)
    make_rollup(segment=segment, starts_at=old - timedelta(days=400), grain=Grain.HOUR, requests=1)
    assert [row.requests for row in _rollups(project, Grain.FIVE_MINUTES)] == [1, 1]
    assert purge_rollups() == 2
    assert [row.starts_at.date() for row in _rollups(project, Grain.FIVE_MINUTES)] == [NOON.date()]
    assert len(_rollups(project, Grain.HOUR)) == 2
    assert _differences(old) == 0


def test_rolled_up_until__while_a_run_waits__is_its_time() -> None:
    project = make_project()
    make_run(project=project, at=NOON)
    with organization_scope(project.organization_id):
        assert rolled_up_until() == NOON
    with organization_scope(make_project().organization_id):
        assert datetime.now(UTC) - rolled_up_until() < timedelta(seconds=5)
    count_waiting()
    with organization_scope(project.organization_id):
        assert datetime.now(UTC) - rolled_up_until() < timedelta(seconds=5)
