"""Page 19: the list of runs and one run."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core.ids import encode, uuid7
from apps.runs.types import Attempt, RunError
from apps.tenants.models import Project
from tests.factories import make_api_key, make_organization, make_project, make_run, make_user, owner_of

pytestmark = pytest.mark.django_db

FAILED = RunError(code="provider_timeout", type="provider_error", message="Too slow.", status=504)
MOST_QUERIES = 15


@pytest.fixture
def project() -> Project:
    return make_project(organization=make_organization(name="Acme", owner=make_user()))


@pytest.fixture
def client(project: Project) -> Client:
    client = Client()
    client.force_login(owner_of(project.organization))
    return client


def _list(client: Client, project: Project, query: str = "") -> str:
    answer = client.get(f"/{project.organization.slug}/{project.slug}/runs/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def _queries(client: Client, project: Project) -> int:
    with CaptureQueriesContext(connection) as captured:
        _list(client, project)
    # Besides what opens and closes transactions.
    return sum(query["sql"].startswith("SELECT") for query in captured)


def test_list__empty__explains_itself(client: Client, project: Project) -> None:
    assert "No runs yet" in _list(client, project)
    assert "No run matches" in _list(client, project, "?status=failed")
    make_run(project=project, at=datetime.now(UTC) - timedelta(hours=2))
    assert "Nothing ran in this time" in _list(client, project, "?range=1h")


def test_list__of_runs__shows_previews_and_status(client: Client, project: Project) -> None:
    make_run(project=project, text="Sorry <b>about</b> that.")
    make_run(project=project, error=FAILED)
    page = _list(client, project)
    assert page.count('data-testid="run-row"') == 2
    assert "Sorry &lt;b&gt;about&lt;/b&gt; that." in page
    assert "provider_timeout" in page
    assert "Say something about: It broke." in page


def test_list__with_filters__is_narrowed_and_keeps_them(client: Client, project: Project) -> None:
    make_run(project=project)
    make_run(project=project, error=FAILED, source="batch")
    page = _list(client, project, "?status=failed&source=batch&model=sandbox/standard")
    assert page.count('data-testid="run-row"') == 1
    assert '<option value="failed" selected>' in page
    assert _list(client, project, "?prompt=prm_nonsense&range=nonsense").count("run-row") == 2


def test_list__of_one_or_of_ten_runs__costs_the_same(client: Client, project: Project) -> None:
    make_run(project=project)
    one = _queries(client, project)
    for _ in range(9):
        make_run(project=project)
    assert _queries(client, project) == one < MOST_QUERIES


def test_list__searched_by_either_id__opens_the_run(client: Client, project: Project) -> None:
    run = make_run(project=project, request_id="req_abc")
    for text in (run.public_id, "req_abc"):
        answer = client.get(f"/{project.organization.slug}/{project.slug}/runs/", {"q": text})
        assert answer.status_code == 302
        assert answer["Location"].endswith(f"/runs/{run.public_id}/")
    assert "No run of this project has that id" in _list(client, project, "?q=run_x")


def test_detail__of_a_run__shows_content_numbers_and_ids(client: Client, project: Project) -> None:
    key = make_api_key(project=project, name="helpdesk-web")[0]
    attempts = (Attempt(0, 10, "server", 503), Attempt(30, 12))
    run = make_run(
        project=project,
        text='{"mood": "<good>"}',
        api_key_id=key.id,
        request_id="req_abc",
        attempts=attempts,
    )
    answer = client.get(f"/{project.organization.slug}/{project.slug}/runs/{run.public_id}/")
    page = answer.content.decode()
    assert answer.status_code == 200
    for expected in (
        "Retried once",
        "Try 1, server error 503",
        "Wait before retry",
        "Say something about: It broke.",
        "&lt;good&gt;",
        "It broke.",
        "helpdesk-web",
        key.masked,
        "req_abc",
        run.public_id,
        "customer-7",
        "ticket",
        "made-up price",
    ):
        assert expected in page, expected
    assert "style=" not in page


def test_detail__whose_content_is_gone__says_so(client: Client, project: Project) -> None:
    run = make_run(project=project, record_payload=False)
    answer = client.get(f"/{project.organization.slug}/{project.slug}/runs/{run.public_id}/")
    assert "was not kept or has been deleted" in answer.content.decode()


def test_detail__of_another_project__is_not_found(client: Client, project: Project) -> None:
    other = make_run(project=make_project())
    for text in (other.public_id, "run_nonsense", "nonsense"):
        answer = client.get(f"/{project.organization.slug}/{project.slug}/runs/{text}/")
        assert answer.status_code == 404


def test_detail__of_a_cached_answer__links_to_its_source_while_that_is_kept(
    client: Client, project: Project
) -> None:
    source = make_run(project=project)
    cached = make_run(project=project, cached_from=source.pk)
    gone = uuid7()
    orphan = make_run(project=project, cached_from=gone)
    address = f"/{project.organization.slug}/{project.slug}/runs"
    pages = {
        run: client.get(f"{address}/{run.public_id}/").content.decode() for run in (source, cached, orphan)
    }
    assert "Cached" not in pages[source]
    assert f'href="{address}/{source.public_id}/"' in pages[cached]
    assert "Cached from" in pages[orphan]
    assert f'href="{address}/{encode("run", gone)}' not in pages[orphan]
