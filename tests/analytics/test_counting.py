"""Roll-ups against a plain recount in Python: exactly once, however late, whatever is killed."""

import pytest

from apps.analytics.counting.waiting import count_waiting
from apps.analytics.models import Rollup
from apps.core.scope import organization_scope
from tests.factories import make_project, make_run

pytestmark = pytest.mark.django_db(transaction=True)


def test_count__a_run__once() -> None:
    project = make_project()
    for _ in range(3):
        make_run(project=project)
    assert count_waiting() == 3
    assert count_waiting() == 0
    make_run(project=project)
    assert count_waiting() == 1
    with organization_scope(project.organization_id):
        for row in Rollup.objects.all():
            print({k: v for k, v in vars(row).items()})
        assert [row.requests for row in Rollup.objects.all()] == [4] * 3
