"""``/api/v1/prompts`` as a program meets it."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core.scope import organization_scope
from apps.prompts.models import Prompt
from apps.tenants.models import Project
from apps.tenants.roles import Scope
from tests.factories import make_api_key, make_content, make_project, make_prompt

pytestmark = pytest.mark.django_db

MESSAGES = [{"role": "user", "content": "Reply to {{ review }}"}]


class Api:
    """A client with a key; answers are (status, body)."""

    def __init__(self, project: Project, *scopes: Scope) -> None:
        _, token = make_api_key(project=project, scopes=scopes or tuple(Scope))
        self.headers = {"Authorization": f"Bearer {token}"}
        self.client = Client()

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        response = self.client.generic(
            method,
            f"/api/v1/{path}",
            data="" if body is None else json.dumps(body),
            content_type="application/json",
            headers=self.headers | headers,
        )
        return response.status_code, json.loads(response.content) if response.content else None

    def get(self, path: str) -> tuple[int, Any]:
        return self.send("GET", path)


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def api(project: Project) -> Api:
    return Api(project)


def test_create__prompt_with_a_folder__answers_prompt_and_version(api: Api) -> None:
    status, body = api.send("POST", "prompts", {"name": "support/reply", "messages": MESSAGES})
    assert status == 201
    assert body["id"].startswith("prm_")
    assert (body["object"], body["name"], body["latest_version"], body["labels"]) == (
        "prompt",
        "support/reply",
        1,
        {},
    )
    assert body["version"]["variables"] == [{"name": "review", "type": "text", "required": True}]
    assert body["version"]["author"]["kind"] == "api_key"


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"name": ""}, None, "name"),
        ({"name": "a/versions/b"}, "name_invalid", "name"),
        ({"name": "a@b"}, "name_invalid", "name"),
        ({"name": "a//b"}, "name_invalid", "name"),
        ({"kind": "video"}, None, "kind"),
        ({"messages": []}, "parameter_min_length", "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, None, None),
        (
            {"messages": [{"role": "user", "content": "{{ a + 1 }}"}]},
            "template_invalid",
            "messages.0.content",
        ),
        ({"model": "gpt"}, "model_invalid", "model"),
        ({"parameters": {"temprature": 1}}, "parameter_unknown", "parameters.temprature"),
        ({"parameters": {"temperature": 9}}, "parameter_invalid", "parameters.temperature"),
        ({"output_schema": {"type": "objekt"}}, "schema_invalid", "output_schema"),
        ({"output_schema": {"$ref": "http://example.com/x"}}, "schema_invalid", "output_schema"),
        ({"variables": [{"name": "review", "type": "number", "default": "x"}]}, "variable_invalid", None),
    ],
)
def test_create__not_allowed__names_the_parameter(
    api: Api, change: dict[str, Any], code: str | None, param: str | None
) -> None:
    status, body = api.send("POST", "prompts", {"name": "reply", "messages": MESSAGES} | change)
    assert status == 400
    error = body["error"]
    assert error["type"] == "invalid_request_error"
    assert error["code"] == code or code is None
    assert error["param"] == param or param is None
    assert error["request_id"].startswith("req_")


def test_create__broken_template__tells_every_place(api: Api) -> None:
    messages = [{"role": "user", "content": "ok\n{{ a ~ b }} {{ c() }}"}]
    _, body = api.send("POST", "prompts", {"name": "reply", "messages": messages})
    assert [(each["line"], each["column"]) for each in body["error"]["problems"]] == [(2, 1), (2, 1)]


def test_create__same_idempotency_key_twice__makes_one(api: Api, project: Project) -> None:
    headers = {"Idempotency-Key": "once"}
    first = api.send("POST", "prompts", {"name": "reply", "messages": MESSAGES}, **headers)
    second = api.send("POST", "prompts", {"name": "reply", "messages": MESSAGES}, **headers)
    assert first == second
    with organization_scope(project.organization_id):
        assert Prompt.objects.count() == 1


def test_versions__by_name_with_slash_and_by_id__are_the_same(api: Api, project: Project) -> None:
    prompt = make_prompt(project=project, name="support/de/reply", versions=2)
    by_name = api.get("prompts/support/de/reply/versions/2")
    assert by_name[0] == 200
    assert by_name == api.get(f"prompts/{prompt.public_id}/versions/2")
    assert by_name == api.get("prompts/support%2Fde%2Freply/versions/2")


def test_get__prompt_of_another_organization__is_not_found(api: Api) -> None:
    foreign = make_prompt(name="secret")
    for path in (f"prompts/{foreign.public_id}/versions", "prompts/secret/versions/1"):
        status, body = api.get(path)
        assert (status, body["error"]["code"]) == (404, "prompt_not_found")


def test_list__search_label_folder_and_cursor__narrow(api: Api, project: Project) -> None:
    for name in ("support/a", "support/b", "sales/c"):
        make_prompt(project=project, name=name, labels={"production": 1} if name.endswith("a") else None)

    def names(query: str) -> list[str]:
        return [each["name"] for each in api.get(f"prompts?{query}")[1]["data"]]

    assert names("") == ["sales/c", "support/b", "support/a"]
    assert names("folder=support") == ["support/b", "support/a"]
    assert names("search=SALES") == ["sales/c"]
    assert names("label=production") == ["support/a"]
    first = api.get("prompts?limit=2")[1]
    assert first["has_more"] is True
    assert names(f"starting_after={first['next_cursor']}") == ["support/a"]


def test_list__ten_prompts__cost_the_same_queries_as_one(api: Api, project: Project) -> None:
    counts = []
    api.get("prompts")  # the key's first call also marks it as used
    for wanted in (1, 10):
        with organization_scope(project.organization_id):
            missing = wanted - Prompt.objects.count()
        for _ in range(missing):
            make_prompt(project=project, labels={"production": 1, "staging": 1})
        with CaptureQueriesContext(connection) as captured:
            assert len(api.get("prompts")[1]["data"]) == wanted
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_publish__stale_and_unchanged__are_conflicts(api: Api, project: Project) -> None:
    make_prompt(project=project, name="reply", content=make_content("one", model=""))
    path = "prompts/reply/versions"
    new = {"messages": [{"role": "user", "content": "two"}], "message": "better", "base_version": 1}
    status, body = api.send("POST", path, new)
    assert (status, body["version"], body["message"]) == (201, 2, "better")
    status, body = api.send("POST", path, {**new, "messages": MESSAGES})
    assert (status, body["error"]["code"], body["error"]["latest_number"]) == (409, "version_stale", 2)
    status, body = api.send("POST", path, {**new, "base_version": 2})
    assert (status, body["error"]["code"]) == (409, "version_unchanged")
    assert [each["version"] for each in api.get(path)[1]["data"]] == [2, 1]
    assert api.get(f"{path}/1")[1]["messages"] == [{"role": "user", "content": "one"}]
    assert api.get(f"{path}/3")[0] == 404


def test_label__put_move_history_rollback_delete__round_trip(api: Api, project: Project) -> None:
    make_prompt(project=project, name="a/reply", versions=3)
    path = "prompts/a/reply/labels/production"
    assert api.get(path)[0] == 404
    status, body = api.send("PUT", path, {"version": 1, "expected_version": None})
    assert (status, body["object"], body["version"]) == (200, "label", 1)
    assert api.send("PUT", path, {"version": 3, "expected_version": 1, "reason": "better"})[0] == 200
    status, body = api.send("PUT", path, {"version": 2, "expected_version": 1})
    assert (status, body["error"]["code"], body["error"]["current_version"]) == (409, "label_moved", 3)
    assert body["error"]["param"] == "expected_version"
    assert api.send("PUT", path, {"version": 2, "expected_version": None})[0] == 409
    assert api.send("POST", f"{path}/rollback", {"expected_version": 3})[1]["version"] == 1
    assert api.send("POST", f"{path}/rollback", {})[1]["error"]["code"] == "nothing_to_roll_back"
    assert api.send("DELETE", f"{path}?expected_version=3")[0] == 409
    assert api.send("DELETE", f"{path}?expected_version=1")[0] == 204
    steps = api.get(f"{path}/history")[1]["data"]
    assert {(each["kind"], each["from_version"], each["to_version"]) for each in steps} == {
        ("move", None, 1),
        ("move", 1, 3),
        ("rollback", 3, 1),
        ("remove", 1, None),
    }


def test_label__latest_or_bad_name__is_refused(api: Api, project: Project) -> None:
    make_prompt(project=project, name="reply")
    for label, code in (("latest", "label_reserved"), ("Production", "label_invalid")):
        status, body = api.send("PUT", f"prompts/reply/labels/{label}", {"version": 1})
        assert (status, body["error"]["code"], body["error"]["param"]) == (400, code, "label")


def test_label__version_number_beyond_the_database__is_not_found(api: Api, project: Project) -> None:
    make_prompt(project=project, name="reply")
    assert api.send("PUT", "prompts/reply/labels/staging", {"version": 10**15})[0] == 404
    assert api.send("PUT", "prompts/reply/labels/staging", {"version": -1})[0] == 404


def test_diff__two_versions__tells_sections(api: Api, project: Project) -> None:
    make_prompt(project=project, name="reply", versions=2)
    status, body = api.get("prompts/reply/diff")
    assert (status, body["from_version"], body["to_version"]) == (200, 1, 2)
    section = next(each for each in body["sections"] if each["key"] == "message-1")
    assert (section["added"], section["removed"]) == (1, 1)
    assert api.get("prompts/reply/diff?from=1&to=9")[0] == 404


def test_scopes__read_key__may_not_write_or_release(project: Project) -> None:
    make_prompt(project=project, name="reply")
    reader = Api(project, Scope.READ)
    assert reader.get("prompts/reply/versions")[0] == 200
    assert reader.send("POST", "prompts", {"name": "x", "messages": MESSAGES})[0] == 403
    writer = Api(project, Scope.READ, Scope.WRITE)
    assert writer.send("POST", "prompts", {"name": "x", "messages": MESSAGES})[0] == 201
    assert writer.send("PUT", "prompts/reply/labels/production", {"version": 1})[0] == 403
    assert (
        Api(project, Scope.RELEASE).send("PUT", "prompts/reply/labels/production", {"version": 1})[0] == 200
    )
