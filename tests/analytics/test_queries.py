"""Figures against a recount of the very runs, by every metric and every dimension."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from pytest_django import DjangoDbBlocker

from apps.analytics import metrics, periods, queries
from apps.analytics.counting.waiting import count_waiting
from apps.analytics.dimensions import Filters
from apps.analytics.metrics import METRICS
from apps.analytics.models import Grain
from apps.analytics.queries import Asked
from apps.core.ids import encode, uuid7
from apps.core.scope import organization_scope
from apps.prompts.models import Prompt
from apps.runs.models import Run
from apps.tenants.models import Project
from tests.analytics.support import Counted, all_runs, write_history
from tests.factories import make_api_key, make_project, make_prompt

NOW = datetime.now(UTC)
COLUMNS = {
    "prompt": "prompt_id",
    "version": "version_id",
    "label": "label",
    "model": "model",
    "key": "api_key_id",
    "source": "source",
}
PREFIXES = {"prompt": "prm", "version": "prv", "key": "key"}


@dataclass(frozen=True)
class History:
    """A project with runs of every kind, rolled up."""

    project: Project
    prompts: list[Prompt]
    keys: list[UUID]

    def asked(self, **values: Any) -> Asked:
        return Asked(self.project.pk, **{"period": periods.preset("7d", NOW), **values})

    def counted(self, asked: Asked) -> Counted:
        """The runs that a question is about."""
        return all_runs().where(
            lambda run: (
                run.sandbox == asked.sandbox and asked.period.start <= moment_of(run) < asked.period.end
            )
        )


@pytest.fixture(scope="module")
def written(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[History]:
    """One history for all tests, in a transaction that is rolled back."""
    with django_db_blocker.unblock(), transaction.atomic():
        project = make_project()
        prompts = [make_prompt(project=project, name=name, versions=2) for name in ("first", "second")]
        keys = [make_api_key(project=project, name=name)[0].pk for name in ("Website", "App")]
        write_history(project, prompts, keys, NOW, 400)
        count_waiting()
        yield History(project, prompts, keys)
        transaction.set_rollback(True)


@pytest.fixture
def history(written: History) -> Iterator[History]:
    """The history inside its organization's scope."""
    with organization_scope(written.project.organization_id):
        yield written


def moment_of(run: Run) -> datetime:
    return datetime.fromtimestamp((run.pk.int >> 80) / 1000, UTC)


def same(key: str, told: Any, counted: Any) -> bool:
    """Whether a figure is what was counted; percentiles may be 1 % off."""
    if told is None or counted is None or isinstance(told, Decimal):
        return bool(told == counted)
    return bool(told == pytest.approx(counted, rel=0.01 if key.startswith("latency_p") else 1e-9))


def wrong(figures: queries.Figures, counted: Counted) -> dict[str, Any]:
    """The metrics that differ, with both values."""
    return {
        key: (figures[key], counted.metric(key))
        for key in METRICS
        if not same(key, figures[key], counted.metric(key))
    }


def test_figures__of_a_week_and_the_one_before__equal_a_recount(history: History) -> None:
    asked = history.asked()
    found = queries.summary(asked)
    counted = history.counted(asked)
    assert counted.metric("requests") > 100
    assert wrong(found.total, counted) == {}
    before = Asked(asked.project_id, asked.period.previous)
    assert found.previous is not None
    assert wrong(found.previous, history.counted(before)) == {}
    codes = [run.error_code for run in counted.runs if run.status == "failed"]
    assert dict(found.errors) == {code: codes.count(code) for code in set(codes)}
    sandbox = history.asked(sandbox=True)
    assert wrong(queries.summary(sandbox).total, history.counted(sandbox)) == {}


@pytest.mark.parametrize("dimension", COLUMNS)
def test_figures__by_each_dimension__equal_a_recount(history: History, dimension: str) -> None:
    asked = history.asked()
    counted = history.counted(asked)
    rows = queries.breakdown(asked, dimension, tuple(METRICS), most=20)
    seen = set()
    for row in rows:
        seen.add(row.group.value)
        same_runs = counted.where(lambda run, group=row.group: value_of(dimension, run) == group.value)  # type: ignore[misc]
        assert wrong(row.total, same_runs) == {}, row.group
        assert row.share == pytest.approx(len(same_runs.runs) / len(counted.runs))
    assert seen == {value_of(dimension, run) for run in counted.runs}
    assert [row.total.requests for row in rows] == sorted((row.total.requests for row in rows), reverse=True)


def value_of(dimension: str, run: Run) -> str:
    value = getattr(run, COLUMNS[dimension])
    if value in (None, ""):
        return "-"
    return encode(PREFIXES[dimension], value) if dimension in PREFIXES else value


def test_series__by_hours_of_the_largest_group__equals_a_recount_and_keeps_the_rest(history: History) -> None:
    asked = history.asked()
    found = queries.series(asked, tuple(METRICS), group_by="key", most=1, compare=True)
    largest, others = found.lines
    counted = history.counted(asked)
    assert (largest.group.kind, others.group.kind) == ("value", "others") or largest.group.kind == "none"
    for line, inside in ((largest, True), (others, False)):
        runs = counted.where(
            lambda run, inside=inside: (value_of("key", run) == largest.group.value) is inside  # type: ignore[misc]
        )
        assert wrong(line.total, runs) == {}
        for point in line.points:
            until = point.starts_at + timedelta(hours=1)
            hour = runs.where(lambda run, point=point, until=until: point.starts_at <= moment_of(run) < until)  # type: ignore[misc]
            assert wrong(point.figures, hour) == {}
    assert [point.partial for point in largest.points] == [False] * 167 + [True]
    assert largest.previous is not None
    assert len(largest.previous_points) in (167, 168)


def test_series__by_error__splits_failures_and_their_rate(history: History) -> None:
    asked = history.asked()
    found = queries.series(asked, ["errors", "error_rate"], group_by="error", most=2)
    counted = history.counted(asked)
    codes = [run.error_code for run in counted.runs if run.status == "failed"]
    told = {line.group.value: line.total["errors"] for line in found}
    largest = sorted(set(codes), key=lambda code: (-codes.count(code), code))
    assert told == {
        largest[0]: codes.count(largest[0]),
        largest[1]: codes.count(largest[1]),
        "": codes.count(largest[2]),
    }
    assert found.lines[0].total["error_rate"] == pytest.approx(codes.count(largest[0]) / len(counted.runs))
    narrowed = history.asked(filters=Filters(errors=(largest[1],)))
    assert queries.summary(narrowed).total["errors"] == codes.count(largest[1])


def test_figures__narrowed_by_every_filter__equal_a_recount(history: History) -> None:
    prompt = history.prompts[0]
    given = {"prompt": [prompt.name, "-"], "label": ["production", "-"], "source": ["gateway"]}
    filters = queries.read_filters(history.project, {**given, "key": [encode("key", history.keys[0]), "-"]})
    asked = history.asked(filters=filters)
    counted = history.counted(asked).where(
        lambda run: (
            run.prompt_id in (prompt.pk, None)
            and run.label in ("production", "")
            and run.source == "gateway"
            and run.api_key_id in (history.keys[0], None)
        )
    )
    assert counted.runs
    assert wrong(queries.summary(asked).total, counted) == {}
    one = queries.read_filters(history.project, {"prompt": [prompt.public_id], "version": ["2"]})
    numbered = history.counted(asked).where(
        lambda run: run.prompt_id == prompt.pk and run.version_number == 2
    )
    assert wrong(queries.summary(history.asked(filters=one)).total, numbered) == {}


def test_load_sums__of_a_week__add_up_to_its_total(history: History) -> None:
    asked = history.asked()
    by_model = queries.load_sums(asked, group_by="model")
    assert set(by_model) == {"openai/gpt-5-mini", "local/echo"}
    whole = metrics.total(sums for moments in by_model.values() for sums in moments.values())
    assert whole == queries.summary(asked).total.sums
    assert queries.load_sums(asked)[""].keys() == {
        moment for moments in by_model.values() for moment in moments
    }


def test_versions__side_by_side__equal_a_recount_and_have_scores(history: History) -> None:
    prompt = history.prompts[0]
    asked = history.asked()
    counted = history.counted(asked).where(lambda run: run.prompt_id == prompt.pk)
    found = queries.versions(history.project.pk, prompt.pk, asked.period)
    assert [each.number for each in found] == [2, 1]
    for each in found:
        runs = counted.where(lambda run, each=each: run.version_id == each.version_id)  # type: ignore[misc]
        assert wrong(each.figures, runs) == {}
        assert each.efficiency.n == runs.metric("requests") - runs.metric("cancelled")
    assert queries.versions(uuid7(), prompt.pk, asked.period) == ()


def test_overrides__by_version__equal_a_recount(history: History) -> None:
    asked = history.asked()
    counted = history.counted(asked)
    rows = queries.overrides(asked)
    assert len(rows) == 4
    for row in rows:
        runs = counted.where(lambda run, row=row: value_of("version", run) == row.version.value).runs  # type: ignore[misc]
        assert (row.kind, row.name, row.requests) == ("variable", "tone", len(runs))
        assert row.count == sum("variable:tone" in run.overrides for run in runs)
        assert row.doubtful == (row.share >= 0.5 and row.requests >= 30)
    assert [row.share for row in rows] == sorted((row.share for row in rows), reverse=True)


def test_costs__by_two_dimensions__equal_a_recount_with_the_unknown_apart(history: History) -> None:
    asked = history.asked()
    counted = history.counted(asked)
    table = queries.costs(asked, rows="prompt", columns="model", most=2)
    assert [column.kind for column in table.columns] == ["value", "value"]
    assert [row.group.kind for row in table.rows][-1] == "others"
    for row in table.rows[:-1]:
        for column, cell in zip(table.columns, row.cells, strict=True):
            runs = counted.where(
                lambda run, row=row, column=column: (
                    value_of("prompt", run) == row.group.value  # type: ignore[misc]
                    and run.model == column.value
                )
            )
            assert same("cost", cell.amount, runs.metric("cost"))
            assert cell.unknown_price == runs.metric("unknown_price")
    assert table.total.amount == counted.metric("cost")
    assert sum(row.total.share or 0 for row in table.rows) == pytest.approx(1)
    assert sum(row.total.requests for row in table.rows) == len(counted.runs)


def test_small_figures__beside_prompts_and_on_home__equal_a_recount(history: History) -> None:
    project, prompt = history.project, history.prompts[1]
    real = all_runs().where(lambda run: not run.sandbox)
    mine = real.where(lambda run: run.prompt_id == prompt.pk)
    week = history.counted(history.asked()).where(lambda run: run.prompt_id == prompt.pk)
    ids = [each.pk for each in history.prompts]
    told = queries.week_of_prompts(project.pk, ids, NOW)[prompt.pk]
    for key in ("requests", "cost", "error_rate", "satisfaction"):
        assert same(key, told[key], week.metric(key)), key
    midnight = periods.floor(NOW, Grain.DAY)
    days = queries.sparklines(project.pk, ids, NOW, days=5)[prompt.pk]
    assert len(days) == 5
    assert days[-1] == len(mine.where(lambda run: moment_of(run) >= midnight).runs)
    by_label = queries.label_calls(project.pk, prompt.pk, NOW, hours=72)
    assert {label: each.requests for label, each in by_label.items()} == labels_since(mine, 72)
    today = queries.today(project.pk, NOW)
    yesterday = real.where(lambda run: midnight - timedelta(days=1) <= moment_of(run) < midnight)
    so_far = yesterday.where(lambda run: moment_of(run) < NOW - timedelta(days=1))
    assert today.yesterday.requests == len(yesterday.runs)
    assert today.today.requests == len(real.where(lambda run: moment_of(run) >= midnight).runs)
    assert 0 <= today.yesterday_so_far.requests - len(so_far.runs) <= 2
    assert queries.last_data(project.pk) == max(periods.floor(moment_of(run), Grain.DAY) for run in real.runs)
    assert not queries.has_only_sandbox(project.pk)


def labels_since(counted: Counted, hours: int) -> dict[str, int]:
    start = periods.ceiling(NOW, Grain.HOUR) - timedelta(hours=hours)
    labels = [run.label for run in counted.runs if moment_of(run) >= start]
    return {label: labels.count(label) for label in set(labels)}
