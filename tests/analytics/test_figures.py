"""Figures of few roll-ups: whose they are, what they leave unsaid, and what is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.analytics import periods, queries
from apps.analytics.dimensions import Filters
from apps.analytics.metrics import METRICS
from apps.analytics.queries import Asked
from apps.core.errors import InvalidRequest
from apps.core.scope import organization_scope
from tests.analytics.support import roll_up
from tests.factories import make_project, make_prompt, make_segment

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)
LATELY = NOW - timedelta(minutes=5)


def test_figures__of_another_project_and_organization__are_not_there() -> None:
    project, other = make_project(), make_project()
    sibling = make_project(organization=project.organization, name="Sibling")
    for each in (project, other, sibling):
        roll_up(make_segment(project=each), LATELY, requests=1)
    period = periods.preset("24h", NOW)
    with organization_scope(project.organization_id):
        assert queries.summary(Asked(project.pk, period), ["requests"]).total.requests == 1
        assert queries.summary(Asked(other.pk, period), ["requests"]).total.requests == 0
        assert queries.series(Asked(other.pk, period), ["cost"], group_by="prompt").lines == ()
        assert queries.last_data(other.pk) is None


def test_figures__of_labels_called_others_and_none__are_those_labels() -> None:
    project = make_project()
    for label, count in (("others", 5), ("none", 3), ("", 1)):
        segment = make_segment(project=project, label=label)
        roll_up(segment, LATELY, requests=count)
    with organization_scope(project.organization_id):
        asked = Asked(project.pk, periods.preset("24h", NOW))
        rows = queries.breakdown(asked, "label", ["requests"], most=2)
        narrowed = replace(asked, filters=queries.read_filters(project, {"label": ["none"]}))
        assert queries.summary(narrowed).total.requests == 3
    assert [(row.group.kind, row.group.value, row.total.requests) for row in rows] == [
        ("value", "others", 5),
        ("value", "none", 3),
        ("others", "", 1),
    ]


def test_figures__of_one_and_of_five_prompts__take_the_same_statements() -> None:
    project = make_project()
    taken = []
    for count in (1, 4):
        for _ in range(count):
            prompt = make_prompt(project=project)
            roll_up(make_segment(project=project, prompt_id=prompt.pk), LATELY, requests=1)
        with organization_scope(project.organization_id), CaptureQueriesContext(connection) as captured:
            asked = Asked(project.pk, periods.preset("24h", NOW))
            queries.summary_by(asked, "prompt", tuple(METRICS), most=10, compare=True)
            queries.series(asked, ["latency_p95"], group_by="prompt", compare=True)
            queries.costs(asked, rows="prompt", columns="key")
            queries.overrides(asked)
        taken.append(len(captured))
    assert taken[0] == taken[1]
    assert taken[1] <= 15


def test_figures__with_some_unknown_prices__say_that_they_are_incomplete() -> None:
    project = make_project()
    values = {"requests": 3, "priced": 1, "cost": Decimal("0.5"), "unknown_price": 2}
    roll_up(make_segment(project=project), LATELY, **values)
    with organization_scope(project.organization_id):
        total = queries.summary(Asked(project.pk, periods.preset("24h", NOW))).total
    assert (total["cost"], total["unknown_price"], total.incomplete) == (Decimal("0.5"), 2, True)


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"prompt": ["nobody's"]}, "prompt"),
        ({"version": ["1"]}, "version"),
        ({"version": ["latest"]}, "version"),
        ({"key": ["psk_live_x"]}, "key"),
        ({"source": ["telex"]}, "source"),
        ({"model": ["a\x00b"]}, "model"),
        ({"label": ["x" * 256]}, "label"),
        ({"label": [str(number) for number in range(21)]}, "label"),
    ],
)
def test_read_filters__what_does_not_exist__is_refused_by_name(
    given: dict[str, list[str]], param: str
) -> None:
    project = make_project()
    with organization_scope(project.organization_id), pytest.raises(InvalidRequest) as refused:
        queries.read_filters(project, given)
    assert refused.value.param == param


def test_check__metrics_and_dimensions_that_do_not_go_together__are_refused() -> None:
    for keys, group_by, param in (
        (["requests", "speed"], None, "metrics"),
        ([], None, "metrics"),
        (["requests"], "customer", "group_by"),
        (["cost"], "error", "metrics"),
    ):
        with pytest.raises(InvalidRequest) as refused:
            queries.check(keys, group_by, Filters())
        assert refused.value.param == param
