"""Page 19: the list of runs and one run."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.audit.actor import SYSTEM
from apps.core.ids import encode, uuid7
from apps.core.scope import organization_scope, system_scope
from apps.datasets.models import Dataset, DatasetRow
from apps.prompts.queries import latest_version, resolved
from apps.runs.feedback import Giver, text_of
from apps.runs.models import Feedback, Run, RunPayload
from apps.runs.services import give_feedback
from apps.runs.types import Attempt, RunError
from apps.tenants.models import Project
from apps.tenants.roles import Permission
from apps.tenants.services import add_membership, create_custom_role
from tests.factories import (
    make_api_key,
    make_organization,
    make_project,
    make_prompt,
    make_run,
    make_user,
    owner_of,
)

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
    selects = [query["sql"] for query in captured if query["sql"].startswith("SELECT")]
    return sum(not each.startswith("SELECT set_config(") for each in selects)


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
    attempts = (Attempt(0, 10, "server", 503), Attempt(30, 12, kind="retry"))
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
        "Call, server error 503",
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


def test_detail__whose_content_is_missing__says_why(client: Client, project: Project) -> None:
    never = make_run(project=project, record_payload=False)
    gone = make_run(project=project)
    with system_scope():
        RunPayload.all_organizations.filter(pk=gone.pk).delete()
    home = f"/{project.organization.slug}/{project.slug}/runs/"
    assert "was not stored" in client.get(f"{home}{never.public_id}/").content.decode()
    assert "has been deleted" in client.get(f"{home}{gone.public_id}/").content.decode()
    rows = client.get(home).content.decode()
    assert ">not stored<" in rows
    assert ">deleted<" in rows


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


def _page(client: Client, run: Run, rest: str = "") -> str:
    answer = client.get(_address(client, run) + rest)
    assert answer.status_code == 200
    return answer.content.decode()


def _address(client: Client, run: Run) -> str:
    with system_scope():
        project = Project.all_organizations.select_related("organization").get(pk=run.project_id)
    return f"/{project.organization.slug}/{project.slug}/runs/{run.public_id}/"


def test_detail__markdown__is_cleaned_and_asked_for(client: Client, project: Project) -> None:
    run = make_run(
        project=project, text="**bold** <script>alert(1)</script> ![x](https://evil.example/p.png)"
    )
    assert "<strong>bold</strong>" not in _page(client, run)
    shown = _page(client, run, "?view=markdown")
    assert "<strong>bold</strong>" in shown
    assert "<script>alert" not in shown
    assert "evil.example" not in shown


def test_detail__json__is_indented_and_downloaded_whole(client: Client, project: Project) -> None:
    run = make_run(project=project, text='{"sentiment":"bad"}')
    assert "{\n  &quot;sentiment&quot;: &quot;bad&quot;\n}" in _page(client, run)
    file = client.get(f"{_address(client, run)}json/")
    assert file["Content-Disposition"] == f'attachment; filename="{run.public_id}.json"'
    assert file.json()["content"]["output"] == '{"sentiment":"bad"}'


def test_feedback_on_the_page__given_changed_and_removed(client: Client, project: Project) -> None:
    run = make_run(project=project)
    address = f"{_address(client, run)}feedback/"
    assert client.post(address, {"score": "2", "comment": "Too short <b>"}).status_code == 302
    shown = _page(client, run)
    assert "Too short &lt;b&gt;" in shown
    assert "Change feedback" in shown
    assert "2 of 5" not in shown  # one's own stands in the form
    client.post(address, {"score": "5", "correction": "Better."})
    with organization_scope(project.organization_id):
        kept = Feedback.objects.get(run_id=run.pk)
        assert (kept.score, text_of(kept).correction) == (5, "Better.")
    refused = client.post(address, {})
    assert refused.status_code == 422
    assert "Give a score, a comment or a correction." in refused.content.decode()
    client.post(f"{address}remove/")
    assert "Save feedback" in _page(client, run)


def test_list__by_feedback__finds_what_was_scored(client: Client, project: Project) -> None:
    bad, good = make_run(project=project, text="bad one"), make_run(project=project, text="good one")
    with organization_scope(project.organization_id):
        for run, score in ((bad, 1), (good, 5)):
            give_feedback(giver=Giver("user:1", "1"), run=run, score=score)
    assert "bad one" in _list(client, project, "?feedback=low")
    assert "good one" not in _list(client, project, "?feedback=low")
    assert _list(client, project, "?feedback=any").count("run-row") == 2


def test_list__exported__is_what_the_filter_shows(client: Client, project: Project) -> None:
    make_run(project=project, text="=1+1")
    make_run(project=project, error=FAILED)
    address = f"/{project.organization.slug}/{project.slug}/runs/?status=succeeded&export="
    rows = list(csv.DictReader(io.StringIO(_streamed(client.get(f"{address}csv")))))
    assert [row["answer"] for row in rows] == ["'=1+1"]
    assert rows[0]["cost_status"] == "sandbox"
    lines = _streamed(client.get(f"{address}jsonl")).splitlines()
    assert [json.loads(line)["answer"] for line in lines] == ["=1+1"]


def _streamed(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode()


def test_add_to_dataset__one_and_chosen_runs__become_rows(client: Client, project: Project) -> None:
    first, second = make_run(project=project, text="one"), make_run(project=project, text="two")
    with organization_scope(project.organization_id):
        give_feedback(giver=Giver("user:1", "1"), run=second, score=2, correction="zwei")
    new = client.post(f"{_address(client, first)}dataset/", {"name": "From life", "expected": "answer"})
    assert new.status_code == 302
    with organization_scope(project.organization_id):
        dataset = Dataset.objects.get(name="From life")
    chosen = {"id": [first.public_id, second.public_id], "matching": "2", "range": "all"}
    room = f"/{project.organization.slug}/{project.slug}/runs/dataset/"
    asked = client.get(room, {"id": chosen["id"]})
    assert "Add 2 rows" in asked.content.decode()
    added = client.post(room, {**chosen, "dataset": dataset.public_id, "expected": "correction"})
    assert added.status_code == 302
    with organization_scope(project.organization_id):
        rows = DatasetRow.objects.filter(dataset_version__number=2).order_by("number")
        assert [row.expected for row in rows] == ["one", "one", "zwei"]
        assert [row.metadata["run_id"] for row in rows] == [
            first.public_id,
            first.public_id,
            second.public_id,
        ]


def test_add_to_dataset__bad_answers__are_named_in_the_form(client: Client, project: Project) -> None:
    run = make_run(project=project)
    address = f"{_address(client, run)}dataset/"
    refused = client.post(address, {"expected": "answer"})
    assert refused.status_code == 422
    assert "Name the new dataset" in refused.content.decode()
    client.post(address, {"expected": "answer", "name": "Twice"})
    again = client.post(address, {"expected": "answer", "name": "Twice"})
    assert "choose it above" in again.content.decode()


def test_panel__of_a_prompt__shows_its_latest_runs(client: Client, project: Project) -> None:
    prompt = make_prompt(project=project)
    with organization_scope(project.organization_id):
        make_run(project=project, prompt=resolved(prompt, latest_version(prompt)))
        make_run(project=project)
    room = f"/{project.organization.slug}/{project.slug}/runs/panel/"
    shown = client.get(room, {"prompt": prompt.public_id}).content.decode()
    assert shown.count("<li>") == 1


def test_list__member_who_sees_runs_but_no_prompts__is_offered_only_prompts_that_ran(
    project: Project,
) -> None:
    secret, ran = (
        make_prompt(project=project, name="secret/plan"),
        make_prompt(project=project, name="open/a"),
    )
    with organization_scope(project.organization_id):
        make_run(project=project, prompt=resolved(ran, latest_version(ran)))
        make_run(project=project)
        role = create_custom_role(
            actor=SYSTEM,
            organization=project.organization,
            name="Watcher",
            description="",
            permissions=[Permission.RUNS_VIEW.value],
        )
        user = make_user()
        add_membership(actor=SYSTEM, organization=project.organization, user=user, role=role.public_id)
    client = Client()
    client.force_login(user)
    assert "secret/plan" not in _list(client, project)
    assert "secret/plan" not in _list(client, project, f"?prompt={secret.public_id}")
    assert _list(client, project, f"?prompt={ran.public_id}").count("run-row") == 1
