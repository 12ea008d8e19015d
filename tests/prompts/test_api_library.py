"""``/api/v1/prompts`` for the library: search, tags, archive, changes of many, restored versions."""

from typing import Any

import pytest

from apps.core.scope import organization_scope
from apps.prompts.models import Prompt
from apps.tenants.models import Project
from tests.factories import make_content, make_project, make_prompt
from tests.prompts.test_api import Api

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def api(project: Project) -> Api:
    return Api(project)


def names(body: dict[str, Any]) -> set[str]:
    """The names of a list's prompts."""
    return {each["name"] for each in body["data"]}


def test_list__search_in_tag_archived__narrow(api: Api, project: Project) -> None:
    make_prompt(project=project, name="a", content=make_content("Warranty: {{ x }}"))
    make_prompt(project=project, name="b")
    assert names(api.get("prompts?search=warranty")[1]) == set()
    assert names(api.get("prompts?search=warranty&search_in=newest")[1]) == {"a"}
    api.send("PATCH", "prompts/a", {"tags": ["Legal"], "archived": True})
    assert names(api.get("prompts")[1]) == {"b"}
    assert names(api.get("prompts?archived=any")[1]) == {"a", "b"}
    status, body = api.get("prompts?archived=true&tag=legal")
    assert (status, names(body), body["data"][0]["tags"]) == (200, {"a"}, ["legal"])
    assert body["data"][0]["archived_at"] is not None


@pytest.mark.parametrize("query", ["search_in=nowhere", "archived=maybe", "tag=" + "x" * 51, "search=%00"])
def test_list__unknown_values__name_the_parameter(api: Api, query: str) -> None:
    status, body = api.get(f"prompts?{query}")
    assert (status, body["error"]["param"]) == (400, query.split("=")[0])


def test_create__with_tags__keeps_them(api: Api) -> None:
    body = {"name": "x", "tags": ["B", "a"], "messages": [{"role": "user", "content": "hi"}]}
    assert api.send("POST", "prompts", body)[1]["tags"] == ["a", "b"]


def test_patch__name_description_tags_archive__change_together(api: Api, project: Project) -> None:
    prompt = make_prompt(project=project, name="old", labels={"production": 1})
    change = {"name": "folder/fresh", "description": "Says hello", "tags": ["x"], "archived": True}
    status, body = api.send("PATCH", f"prompts/{prompt.public_id}", change)
    assert status == 200
    assert {key: body[key] for key in ("name", "description", "tags")} == {
        "name": "folder/fresh",
        "description": "Says hello",
        "tags": ["x"],
    }
    assert body["labels"] == {"production": 1}
    assert api.send("PATCH", "prompts/old", {"tags": []})[0] == 404
    status, body = api.send(
        "POST", "prompts/folder/fresh/versions", {"messages": [{"role": "user", "content": "n"}]}
    )
    assert (status, body["error"]["code"]) == (409, "prompt_archived")
    assert api.send("PATCH", "prompts/folder/fresh", {"archived": False})[1]["archived_at"] is None


def test_patch__one_part_is_refused__changes_nothing(api: Api, project: Project) -> None:
    make_prompt(project=project, name="one")
    status, body = api.send("PATCH", "prompts/one", {"name": "two", "tags": ["a,b"]})
    assert (status, body["error"]["code"]) == (400, "tag_invalid")
    assert names(api.get("prompts")[1]) == {"one"}


def test_bulk__dry_run__counts_and_changes_nothing(api: Api, project: Project) -> None:
    for number in range(3):
        make_prompt(project=project, name=f"old/p{number}")
    make_prompt(project=project, name="other")
    body = {"action": "move", "filter": {"folder": "old"}, "folder": "fresh", "dry_run": True}
    status, answer = api.send("POST", "prompts/bulk", body)
    assert (status, answer) == (
        200,
        {"object": "bulk_result", "action": "move", "dry_run": True, "matched": 3, "changed": 3},
    )
    assert names(api.get("prompts?folder=old")[1]) == {"old/p0", "old/p1", "old/p2"}
    status, answer = api.send("POST", "prompts/bulk", {**body, "dry_run": False, "expected_count": 3})
    assert (status, answer["changed"]) == (200, 3)
    assert names(api.get("prompts?folder=fresh")[1]) == {"fresh/p0", "fresh/p1", "fresh/p2"}


def test_bulk__other_number_than_expected__is_a_conflict(api: Api, project: Project) -> None:
    make_prompt(project=project)
    status, body = api.send("POST", "prompts/bulk", {"action": "archive", "filter": {}, "expected_count": 2})
    assert (status, body["error"]["code"], body["error"]["matched"]) == (409, "selection_changed", 1)


def test_bulk__ids__tag_archive_and_restore(api: Api, project: Project) -> None:
    prompts = [make_prompt(project=project) for _ in range(2)]
    ids = [prompt.public_id for prompt in prompts]
    for action, more in (("tag", {"add": ["Fresh"]}), ("archive", {}), ("restore", {})):
        status, body = api.send("POST", "prompts/bulk", {"action": action, "ids": ids, **more})
        assert (status, body["changed"]) == (200, 2)
    with organization_scope(project.organization_id):
        assert all(prompt.tags == ["fresh"] for prompt in Prompt.objects.all())


def test_bulk__foreign_or_unknown_id__is_not_found_and_changes_nothing(api: Api, project: Project) -> None:
    own, foreign = make_prompt(project=project), make_prompt()
    for other in (foreign.public_id, "prm_x"):
        body = {"action": "archive", "ids": [own.public_id, other]}
        status, answer = api.send("POST", "prompts/bulk", body)
        assert (status, answer["error"]["code"]) == (404, "prompt_not_found")
    with organization_scope(project.organization_id):
        assert Prompt.objects.get(pk=own.pk).archived_at is None


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"action": "archive"}, "ids"),
        ({"action": "archive", "ids": ["prm_x"], "filter": {}}, "ids"),
        ({"action": "delete", "filter": {}}, "action"),
        ({"action": "tag", "filter": {}}, "add"),
        ({"action": "tag", "filter": {}, "add": ["a"], "remove": ["A"]}, "add"),
        ({"action": "archive", "filter": {"search_in": "x"}}, "filter.search_in"),
    ],
)
def test_bulk__not_understood__names_the_field(api: Api, body: dict[str, Any], param: str) -> None:
    status, answer = api.send("POST", "prompts/bulk", body)
    assert (status, answer["error"]["param"]) == (400, param)


def test_restore__older_version__is_saved_again(api: Api, project: Project) -> None:
    prompt = make_prompt(project=project, name="a/b", versions=2, labels={"production": 2})
    status, body = api.send("POST", "prompts/a/b/versions/1/restore", {"base_version": 2})
    assert (status, body["version"], body["message"]) == (201, 3, "Restored from v1")
    status, body = api.send("POST", "prompts/a/b/versions/1/restore", {})
    assert (status, body["error"]["code"]) == (409, "version_unchanged")
    status, body = api.send("POST", "prompts/a/b/versions/2/restore", {"base_version": 2})
    assert (status, body["error"]["code"]) == (409, "version_stale")
    assert api.send("POST", "prompts/a/b/versions/99999999999/restore", {})[0] == 404
    with organization_scope(project.organization_id):
        assert prompt.labels.get().version.number == 2
