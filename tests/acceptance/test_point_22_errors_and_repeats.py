"""Point 22: errors have one shape, a stable code, the parameter and a request id, at every address of the
API and of the gateway; a POST that is repeated with its Idempotency-Key does nothing twice."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import httpx2
import pytest
from django.db import transaction
from django.test import Client

from apps.batches.models import BatchJob
from apps.core.error_catalogue import CATALOGUE
from apps.core.scope import organization_scope
from apps.datasets.models import Dataset
from apps.prompts.models import Prompt, PromptVersion
from apps.runs.models import Run
from apps.tenants.models import Project
from tests.access.matrix import PUBLIC, Fill, Route, table
from tests.factories import make_api_key, make_dataset_version, make_project, make_prompt, owner_of

pytestmark = pytest.mark.django_db

FIELDS: Final = {"type", "code", "message", "param", "doc_url", "request_id"}
API: Final = [row for row in table() if row[0].is_api and row[0].needs != PUBLIC]
MESSAGES: Final = [{"role": "user", "content": "Reply to {{ review }}"}]
UNSAVED: Final = {"model": "sandbox/fast", "messages": [{"role": "user", "content": "Hello"}]}


def check_shape(status: int, headers: Mapping[str, str], body: Any, call: str) -> dict[str, Any]:
    """Assert what every error's answer must hold; returns the error."""
    assert set(body) == {"error"}, call
    error: dict[str, Any] = body["error"]
    assert set(error) >= FIELDS, call
    assert error["code"] in CATALOGUE, (call, error)
    assert error["type"].endswith("_error"), call
    assert error["message"], call
    assert error["doc_url"].endswith(f"/docs/errors#{error['code']}"), call
    assert error["request_id"] == headers["request-id"] != "", call
    assert 400 <= status < 500, call
    return error


def _checked(response: Any, call: str) -> dict[str, Any]:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return check_shape(response.status_code, headers, json.loads(response.content), call)


def owners_client() -> Client:
    """The client of an organization's owner, whose pages call the API too."""
    project = make_project()
    client = Client(headers={"Promptsaas-Project": project.public_id})
    client.force_login(owner_of(project.organization))
    return client


def _addresses(project: Project) -> Iterator[tuple[Route, str, str]]:
    """Each route of the API with the address of a real row and that of a row that isn't there."""
    for route, fills in API:
        with organization_scope(project.organization_id):
            real = _filled(route, fills, project)
        missing = dict.fromkeys(real, "nothing") | ({"number": "99"} if "number" in real else {})
        yield route, route.address(real), route.address(missing)


def _filled(route: Route, fills: Mapping[str, Fill], project: Project) -> dict[str, str]:
    return {name: fills[name](project) for name in sorted(route.parameters)}


def test_point_22__every_address_of_the_api__refuses_in_one_shape() -> None:
    project = make_project()
    key = {"Authorization": f"Bearer {make_api_key(project=project)[1]}"}
    client = Client()

    def call(method: str, address: str, data: str = "", headers: Mapping[str, str] | None = None) -> Any:
        with transaction.atomic():
            answer = client.generic(method, address, data, "application/json", headers=dict(headers or {}))
            transaction.set_rollback(True)
        return answer

    for route, address, missing in _addresses(project):
        what = f"{route.method} {address}"
        unknown = call(route.method, address)
        assert unknown.status_code == 401, what
        _checked(unknown, what)
        assert _checked(call("TRACE", address, headers=key), what)["code"] == "method_not_allowed", what
        if route.parameters and not route.shared:
            gone = call(route.method, missing, "{}", key)
            assert gone.status_code in {400, 403, 404}, (what, gone.content)
            _checked(gone, what)
        if route.method in {"POST", "PUT", "PATCH"}:
            broken = call(route.method, address, "{", key)
            # Some take no body and don't look at one.
            if broken.status_code >= 400:
                _checked(broken, what)


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("prompts", {"name": "", "messages": MESSAGES}, "name"),
        ("prompts", {"name": "reply"}, "messages"),
        ("datasets", {"name": "Reviews", "rows": "none"}, "rows"),
        ("batches", {"dataset_version": "dsv_nothing"}, "prompt"),
        ("keys", {"name": "Checkout", "scopes": ["everything"]}, "scopes"),
        ("invitations", {"email": "nobody", "role": "viewer"}, "email"),
        ("providers", {"name": "x"}, "api_key"),
    ],
)
def test_point_22__a_field_that_makes_no_sense__is_named(path: str, body: Any, param: str) -> None:
    answer = owners_client().post(f"/api/v1/{path}", body, content_type="application/json")
    error = _checked(answer, path)
    assert (answer.status_code, error["param"].partition("[")[0].partition(".")[0]) == (400, param), error


def test_point_22__a_list_that_is_asked_wrongly__names_the_parameter() -> None:
    client = owners_client()
    for route, _ in API:
        if route.method == "GET" and not route.parameters:
            answer = client.get(f"/{route.path}", {"limit": "-1"})
            if answer.status_code != 200:
                error = _checked(answer, route.path)
                assert error["param"] == "limit" or error["code"] == "parameter_missing", route.path


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path", "body", "status", "param"),
    [
        ("GET", "/v1/nothing", None, 404, None),
        ("DELETE", "/v1/models", None, 405, None),
        ("GET", "/v1/models/none", None, 404, None),
        ("POST", "/v1/chat/completions", {"model": "sandbox/fast"}, 400, "messages"),
        ("POST", "/v1/chat/completions", UNSAVED | {"temperature": "hot"}, 400, "temperature"),
        ("GET", "/api/v1/prompts/nothing", None, 404, None),
        ("POST", "/api/v1/prompts/nothing/run", {}, 404, None),
    ],
)
def test_point_22__the_gateway__refuses_in_the_same_shape(
    gateway_url: str, method: str, path: str, body: Any, status: int, param: str | None
) -> None:
    token = make_api_key(project=make_project())[1]
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx2.request(method, gateway_url + path, json=body, headers=headers, timeout=20)
    error = check_shape(answer.status_code, answer.headers, answer.json(), path)
    assert answer.status_code == status, error
    assert error["param"] == param or param is None, error
    if path != "/v1/nothing":
        unknown = httpx2.request(method, gateway_url + path, json=body, timeout=20)
        check_shape(unknown.status_code, unknown.headers, unknown.json(), path)


def _batch(project: Project) -> dict[str, Any]:
    prompt = make_prompt(project=project, labels={"production": 1})
    return {"prompt": prompt.name, "dataset_version": make_dataset_version(project=project).public_id}


CREATED: Final[dict[str, tuple[Callable[[Project], tuple[str, dict[str, Any]]], type[Any]]]] = {
    "prompt": (lambda project: ("prompts", {"name": "reply", "messages": MESSAGES}), Prompt),
    "version": (
        lambda project: (
            f"prompts/{make_prompt(project=project).name}/versions",
            {"messages": MESSAGES, "base_version": 1},
        ),
        PromptVersion,
    ),
    "dataset": (
        lambda project: ("datasets", {"name": "Reviews", "rows": [{"variables": {"review": "Good"}}]}),
        Dataset,
    ),
    "batch": (lambda project: ("batches", _batch(project)), BatchJob),
}


@pytest.mark.parametrize("what", CREATED)
def test_point_22__the_same_key_twice__makes_one(what: str) -> None:
    describe, model = CREATED[what]
    project = make_project()
    path, body = describe(project)
    client = Client(headers={"Authorization": f"Bearer {make_api_key(project=project)[1]}"})

    def count() -> int:
        with organization_scope(project.organization_id):
            return int(model.objects.count())

    def send(body: Any) -> Any:
        headers = {"Idempotency-Key": "once"}
        return client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)

    before = count()
    first, second = send(body), send(body)
    assert first.status_code in {201, 202}, first.content
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert (first.headers.get("Idempotent-Replayed"), second.headers["Idempotent-Replayed"]) == (None, "true")
    assert count() == before + 1
    other = send({**body, "metadata": {"other": "body"}})
    assert (other.status_code, _checked(other, path)["code"]) == (409, "idempotency_key_reused")
    assert count() == before + 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_point_22__the_same_key_twice__runs_once(gateway_url: str) -> None:
    project = make_project()
    prompt = make_prompt(project=project, labels={"production": 1})
    token = make_api_key(project=project)[1]
    client = httpx2.Client(base_url=gateway_url, headers={"Authorization": f"Bearer {token}"}, timeout=20)
    calls: dict[str, Any] = {
        "/v1/chat/completions": UNSAVED,
        f"/api/v1/prompts/{prompt.name}/run": {"variables": {"review": "It broke."}},
    }
    with client:
        for number, (path, body) in enumerate(calls.items(), start=1):
            headers = {"Idempotency-Key": path}
            first, second = (client.post(path, json=body, headers=headers) for _ in range(2))
            assert (first.status_code, second.status_code) == (200, 200), second.text
            assert second.headers["idempotent-replayed"] == "true"
            assert first.json()["id"] == second.json()["id"]
            with organization_scope(project.organization_id):
                assert Run.objects.count() == number
