"""``expand[]`` over the rooms that offer it."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.audit.actor import SYSTEM
from apps.core.scope import organization_scope
from apps.runs.feedback import Giver
from apps.runs.services import give_feedback
from apps.tenants.models import Project
from apps.tenants.roles import Permission
from apps.tenants.services import add_membership, create_custom_role
from tests.factories import make_api_key, make_batch, make_project, make_prompt, make_run, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def headers(project: Project) -> dict[str, str]:
    return {"Authorization": f"Bearer {make_api_key(project=project)[1]}"}


def test_expand__relations__are_objects(client: Client, project: Project, headers: dict[str, str]) -> None:
    make_prompt(project=project, versions=2)
    make_batch(project=project)
    with organization_scope(project.organization_id):
        give_feedback(giver=Giver("user:1", "Ada"), run=make_run(project=project), score=4)
    batch = client.get("/api/v1/batches?expand[]=dataset_version", headers=headers).json()["data"][0]
    assert batch["dataset_version"]["object"] == "dataset_version"
    one = client.get(f"/api/v1/batches/{batch['id']}?expand[]=dataset_version", headers=headers).json()
    assert one["dataset_version"] == batch["dataset_version"]
    dataset = client.get("/api/v1/datasets?expand[]=latest_version", headers=headers).json()["data"][0]
    assert dataset["latest_version"]["dataset"] == dataset["id"]
    prompts = client.get("/api/v1/prompts?expand[]=version", headers=headers).json()["data"]
    assert {prompt["version"]["version"] == prompt["latest_version"] for prompt in prompts} == {True}
    run = client.get("/api/v1/runs?expand[]=feedback", headers=headers).json()["data"][0]
    assert [voice["score"] for voice in run["feedback"]] == [4]
    assert client.get(f"/api/v1/runs/{run['id']}?expand[]=feedback", headers=headers).json()["feedback"]


def test_expand__unknown_relation__is_named(client: Client, headers: dict[str, str]) -> None:
    answer = client.get("/api/v1/runs?expand[]=secrets", headers=headers)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == "expand[]"
    assert "feedback can" in error["message"]


def test_expand__one_or_ten_rows__costs_the_same(
    client: Client, project: Project, headers: dict[str, str]
) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get("/api/v1/prompts?expand[]=version", headers=headers)
        return len(captured)

    make_prompt(project=project)
    asked()
    one = asked()
    for _ in range(9):
        make_prompt(project=project)
    assert asked() == one


def test_expand__dataset_version_without_the_right_to_datasets__is_refused(
    client: Client, project: Project
) -> None:
    batch = make_batch(project=project)
    with organization_scope(project.organization_id):
        role = create_custom_role(
            actor=SYSTEM,
            organization=project.organization,
            name="Watcher",
            description="",
            permissions=[Permission.BATCHES_VIEW.value],
        )
        user = make_user()
        add_membership(actor=SYSTEM, organization=project.organization, user=user, role=role.public_id)
    client.force_login(user)
    headers = {"Promptsaas-Project": project.public_id}
    for address in ("/api/v1/batches", f"/api/v1/batches/{batch.public_id}"):
        assert client.get(address, headers=headers).status_code == 200
        refused = client.get(f"{address}?expand[]=dataset_version", headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "permission_denied")
