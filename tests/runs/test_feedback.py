"""Feedback on runs, by page and API."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client

from apps.core.errors import InvalidRequest
from apps.core.scope import organization_scope
from apps.prompts.queries import latest_version, resolved
from apps.runs.feedback import Giver, feedback_of, giver_of, mean_scores, text_of
from apps.runs.models import Feedback, Run
from apps.runs.services import give_feedback
from apps.tenants.access import user_actor
from apps.tenants.models import Project
from apps.tenants.roles import Role
from tests.factories import make_api_key, make_member, make_project, make_prompt, make_run, owner_of


@pytest.fixture
def project(db: None) -> Project:
    return make_project()


def address(run: Run) -> str:
    return f"/api/v1/runs/{run.public_id}/feedback"


def post(client: Client, run: Run, token: str, body: dict[str, object]) -> Any:
    return client.post(address(run), body, headers=bearer(token), content_type="application/json")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_feedback_api__given_twice_by_one_user__is_replaced(client: Client, project: Project) -> None:
    run = make_run(project=project)
    key = make_api_key(project=project)[1]
    first = client.post(
        address(run), {"score": 2, "user": "u1"}, headers=bearer(key), content_type="application/json"
    )
    second = post(
        client, run, key, {"score": 5, "comment": " Better now. ", "correction": "Yes", "user": "u1"}
    )
    other = client.post(
        address(run), {"comment": "Hm."}, headers=bearer(key), content_type="application/json"
    )
    assert (first.status_code, second.status_code, other.status_code) == (201, 200, 201)
    assert second.json()["id"] == first.json()["id"]
    assert second.json()["comment"] == "Better now."
    listed = client.get(address(run), headers=bearer(key)).json()["data"]
    assert [(each["given_by"], each["score"]) for each in listed] == [("Test key", None), ("u1", 5)]
    gone = client.delete(f"{address(run)}/{first.json()['id']}", headers=bearer(key))
    assert gone.status_code == 204
    assert len(client.get(address(run), headers=bearer(key)).json()["data"]) == 1


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "score"),
        ({"score": 6}, "score"),
        ({"score": 0}, "score"),
        ({"score": "good"}, "score"),
        ({"comment": "a" * 5001}, "comment"),
        ({"score": 3, "user": "u" * 256}, "user"),
    ],
)
def test_feedback_api__bad_values__are_named(
    client: Client, project: Project, body: dict[str, object], param: str
) -> None:
    run = make_run(project=project)
    answer = post(client, run, make_api_key(project=project)[1], body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_feedback_api__list_of_the_project__by_prompt_and_score(client: Client, project: Project) -> None:
    prompt = make_prompt(project=project)
    with organization_scope(project.organization_id):
        version = resolved(prompt, latest_version(prompt))
        for score in (1, 5):
            run = make_run(project=project, prompt=version)
            give_feedback(giver=Giver("user:1", "1"), run=run, score=score)
        give_feedback(giver=Giver("user:1", "1"), run=make_run(project=project), score=5)
    headers = bearer(make_api_key(project=project)[1])
    found = client.get(f"/api/v1/feedback?prompt={prompt.name}&score=5", headers=headers).json()["data"]
    assert [each["score"] for each in found] == [5]
    assert client.get("/api/v1/feedback?score=9", headers=headers).status_code == 400
    assert len(client.get("/api/v1/feedback", headers=headers).json()["data"]) == 3


def test_feedback__words__are_sealed_and_scores_are_averaged(project: Project) -> None:
    with organization_scope(project.organization_id):
        run, silent = make_run(project=project), make_run(project=project)
        give_feedback(giver=Giver("a", "A"), run=run, score=1, comment="secret words")
        give_feedback(giver=Giver("b", "B"), run=run, score=4)
        give_feedback(giver=Giver("c", "C"), run=silent, score=None, correction="Should be this.")
        assert mean_scores([run.pk, silent.pk]) == {run.pk: 2.5}
        assert {text_of(each).comment for each in feedback_of(run)} == {"secret words", ""}
        with connection.cursor() as cursor:
            cursor.execute("SELECT string_agg(f::text, '') FROM runs_feedback f")
            assert b"secret words".hex() not in cursor.fetchone()[0]


def test_give_feedback__nothing_said__is_refused(project: Project) -> None:
    with organization_scope(project.organization_id):
        run = make_run(project=project)
        with pytest.raises(InvalidRequest, match="Give a score"):
            give_feedback(giver=Giver("a", "A"), run=run, score=None, comment="  ")


@pytest.mark.django_db(transaction=True)
def test_give_feedback__same_giver_at_the_same_time__leaves_one_readable_row() -> None:
    project = make_project()
    run = make_run(project=project)

    def give(score: int) -> None:
        with organization_scope(project.organization_id):
            give_feedback(giver=Giver("a", "A"), run=run, score=score, comment=f"said {score}")
        connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(give, [1, 2, 3, 4]))
    with organization_scope(project.organization_id):
        kept = Feedback.objects.get(run_id=run.pk)
        assert text_of(kept).comment == f"said {kept.score}"


def test_feedback_api__user_told_by_the_id_of_a_member__replaces_nothing_of_theirs(
    client: Client, project: Project
) -> None:
    run, owner = make_run(project=project), owner_of(project.organization)
    with organization_scope(project.organization_id):
        own = give_feedback(giver=giver_of(user_actor(owner)), run=run, score=5)[0]
    told = post(client, run, make_api_key(project=project)[1], {"score": 1, "user": str(owner.pk)})
    assert told.status_code == 201
    with organization_scope(project.organization_id):
        assert Feedback.objects.get(pk=own.pk).score == 5


def test_feedback_api__of_another_member__is_taken_back_by_nobody_else(
    client: Client, project: Project
) -> None:
    run, owner = make_run(project=project), owner_of(project.organization)
    with organization_scope(project.organization_id):
        own = give_feedback(giver=giver_of(user_actor(owner)), run=run, score=5)[0]
    client.force_login(make_member(organization=project.organization, role=Role.EDITOR))
    headers = {"Promptsaas-Project": project.public_id}
    refused = client.delete(f"{address(run)}/{own.public_id}", headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "feedback_not_yours")
    by_key = client.delete(
        f"{address(run)}/{own.public_id}", headers=bearer(make_api_key(project=project)[1])
    )
    assert by_key.status_code == 403
    client.force_login(owner)
    assert client.delete(f"{address(run)}/{own.public_id}", headers=headers).status_code == 204
