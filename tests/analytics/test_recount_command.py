"""`manage.py rollup_recount`, and the job that counts yesterday again."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.analytics import jobs
from apps.analytics.models import Grain, Rollup
from apps.core.scope import system_scope
from apps.tenants.models import Project
from tests.factories import make_project, make_run

pytestmark = pytest.mark.django_db(transaction=True)

YESTERDAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


@pytest.fixture
def project() -> Project:
    """With a run of yesterday that is counted, history and all."""
    found = make_project()
    make_run(project=found, at=YESTERDAY)
    assert jobs.count() == 1
    return found


def _recount(*options: str) -> str:
    answer = StringIO()
    call_command("rollup_recount", *options, stdout=answer, stderr=answer)
    return answer.getvalue()


def _change() -> None:
    with system_scope():
        Rollup.all_organizations.filter(grain=Grain.HOUR).update(requests=7)


def test_command__figures_that_add_up__says_so_by_day(project: Project) -> None:
    lines = _recount().splitlines()
    assert f"{YESTERDAY:%Y-%m-%d}: 1 run, 3 roll-ups, 0 differences" in lines
    assert (len(lines), lines[-1]) == (9, "0 differences.")


def test_command__a_figure_that_differs__fails_and_repairs_it(project: Project) -> None:
    _change()
    day = f"{YESTERDAY:%Y-%m-%d}"
    other = make_project().organization.public_id
    assert _recount("--from", day, "--to", day, "--organization", other).endswith("0 differences.\n")
    with pytest.raises(CommandError, match="1 difference"):
        _recount("--from", day, "--to", day, "--organization", project.organization.public_id)
    told = _recount("--from", day, "--to", day, "--repair")
    assert "60 minutes" in told
    assert "requests 7 but 1" in told
    assert _recount("--from", day, "--to", day).endswith("0 differences.\n")


@pytest.mark.parametrize(
    "options", [("--from", "soon"), ("--organization", "org_1"), ("--from", "2100-01-01")]
)
def test_command__what_cannot_be_read__is_refused(options: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match=options[0]):
        _recount(*options)


def test_check__yesterday__is_told_in_the_log(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    assert jobs.check() == 0
    _change()
    assert jobs.check() == 1
    assert [line.getMessage() for line in caplog.records] == [
        "analytics.rollup_differs",
        "analytics.rollups_differ",
    ]
