"""The gateway's HTTP, against the real server: shapes of errors, limits, idempotency, health."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from apps.audit.actor import SYSTEM
from apps.audit.models import AuditEvent
from apps.core.json_bodies import BODY_LIMIT
from apps.core.scope import organization_scope
from apps.runs.models import Run, RunPayload
from apps.tenants import services as tenant_services
from apps.tenants.models import Project
from apps.tenants.roles import Scope
from tests.factories import make_api_key, make_project

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "sandbox/fast", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def client(gateway_url: str, project: Project) -> Iterator[httpx2.Client]:
    """A client with a key of the project."""
    token = make_api_key(project=project)[1]
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=gateway_url, headers=headers, timeout=20) as client:
        yield client


def _runs(project: Project) -> list[Run]:
    with organization_scope(project.organization_id):
        return list(Run.objects.order_by("pk"))


def test_answer__always__carries_request_id_and_limits(client: httpx2.Client, project: Project) -> None:
    answer = client.post(CHAT, json=HELLO)
    assert answer.status_code == 200
    assert _runs(project)[0].request_id == answer.headers["request-id"]
    assert answer.headers["ratelimit-limit"] == answer.headers["x-ratelimit-limit-requests"] == "300"
    assert int(answer.headers["ratelimit-remaining"]) < 300
    facts = answer.json()["promptsaas"]
    assert facts["sandbox"] is True
    assert facts["cost"]["status"] == "sandbox"


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/nothing", 404, "not_found_error"),
        ("GET", "/v1/models/", 404, "not_found_error"),
        ("GET", CHAT, 405, "invalid_request_error"),
        ("DELETE", "/v1/models", 405, "invalid_request_error"),
    ],
)
def test_error__of_a_wrong_address__has_the_one_shape(
    client: httpx2.Client, method: str, path: str, status: int, kind: str
) -> None:
    answer = client.request(method, path)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (status, kind)
    assert error["request_id"] == answer.headers["request-id"]
    assert {"code", "message", "param", "doc_url"} <= set(error)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "invalid_json"),
        (b"[1]", "invalid_json"),
        (b"{", "invalid_json"),
        (b"[" * 200 + b"]" * 200, "body_too_deep"),
        (b'{"model": "sandbox/fast", "messages": [{"role": "user", "content": "\\u0000"}]}', "invalid_char"),
        (b'{"model": "sandbox/fast", "messages": "x"}', "invalid_request"),
        (
            b'{"model": "sandbox/fast", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}',
            "",
        ),
    ],
)
def test_error__of_a_wrong_body__is_a_bad_request(client: httpx2.Client, content: bytes, code: str) -> None:
    answer = client.post(CHAT, content=content)
    assert answer.status_code == 400
    assert code in answer.json()["error"]["code"]


def test_error__of_a_large_body__is_a_bad_request(client: httpx2.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(BODY_LIMIT // 65536 + 2):
            yield b" " * 65536

    assert client.post(CHAT, content=b" " * (BODY_LIMIT + 1)).json()["error"]["code"] == "body_too_large"
    assert client.post(CHAT, content=chunks()).json()["error"]["code"] == "body_too_large"


def test_error__of_chunks_that_are_none__is_a_bad_request(gateway_url: str, project: Project) -> None:
    token = make_api_key(project=project)[1]
    url = httpx2.URL(gateway_url)
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection((url.host, url.port or 80), timeout=10) as connection:
        connection.sendall(head.encode() + b"not a chunk\r\n")
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"request_broken_off" in answer


def test_text_parts__of_a_message__are_joined(client: httpx2.Client, project: Project) -> None:
    parts = [{"type": "text", "text": "Hello "}, {"type": "text", "text": "you"}]
    body = {"model": "sandbox/fast", "messages": [{"role": "user", "content": parts}]}
    assert client.post(CHAT, json=body).status_code == 200


def test_key__missing_or_revoked__is_unauthorized_within_a_second(
    gateway_url: str, client: httpx2.Client, project: Project
) -> None:
    assert httpx2.get(f"{gateway_url}/v1/models").json()["error"]["code"] == "api_key_missing"
    key, token = make_api_key(project=project)
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/v1/models", headers=headers).status_code == 200
    with organization_scope(project.organization_id):
        tenant_services.revoke_api_key(actor=SYSTEM, key=key)
    answers = [client.get("/v1/models", headers=headers) for _ in _for_a_second()]
    assert answers[-1].status_code == 401
    assert answers[-1].json()["error"]["code"] == "api_key_revoked"


def test_key__without_the_permission__is_refused_and_audited(client: httpx2.Client, project: Project) -> None:
    token = make_api_key(project=project, scopes=(Scope.READ,))[1]
    answer = client.post(CHAT, json=HELLO, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["error"]["permission"]) == (403, "runs.create")
    with organization_scope(project.organization_id):
        event = AuditEvent.objects.get(action="access.refused")
    assert event.request_id == answer.headers["request-id"]


def test_key__guessed_again_and_again__is_limited_by_address(gateway_url: str) -> None:
    headers = {"Authorization": "Bearer psk_live_guess"}
    with httpx2.Client(base_url=gateway_url, headers=headers) as client:
        statuses = [client.get("/v1/models").status_code for _ in range(70)]
    assert (statuses[0], statuses[-1]) == (401, 429)


def test_idempotency__the_same_again__replays_one_run(client: httpx2.Client, project: Project) -> None:
    headers = {"Idempotency-Key": "order-1"}
    first = client.post(CHAT, json=HELLO, headers=headers)
    second = client.post(CHAT, json=HELLO, headers=headers)
    assert (first.status_code, second.status_code) == (200, 200)
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.json() == first.json()
    assert len(_runs(project)) == 1


def test_idempotency__test_key__is_given_no_live_answer(client: httpx2.Client, project: Project) -> None:
    asked = {"Idempotency-Key": "order-1"}
    test = {"Authorization": f"Bearer {make_api_key(project=project, livemode=False)[1]}"}
    answers = [client.post(CHAT, json=HELLO, headers=headers) for headers in (asked, asked | test)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert "idempotent-replayed" not in answers[1].headers
    assert [run.livemode for run in _runs(project)] == [True, False]


def test_refusal__before_a_long_body_was_read__tells_that_the_connection_ends(
    client: httpx2.Client, project: Project
) -> None:
    long = b"x" * 1_000_000
    wrong = {"Authorization": "Bearer psk_wrong"}
    for _ in range(3):
        answer = client.post(CHAT, content=long, headers=wrong)
        assert (answer.status_code, answer.headers["connection"]) == (401, "close")
    assert "connection" not in client.post(CHAT, content=b"x", headers=wrong).headers
    assert "connection" not in client.post(CHAT, content=long).headers


def test_idempotency__concurrent_twins__make_one_run(client: httpx2.Client, project: Project) -> None:
    body = {**HELLO, "sandbox_latency_ms": 300}
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: client.post(CHAT, json=body, headers={"Idempotency-Key": "twins"}), range(8))
        )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len(_runs(project)) == 1


def test_idempotency__another_request__is_refused(client: httpx2.Client, project: Project) -> None:
    headers = {"Idempotency-Key": "order-2"}
    assert client.post(CHAT, json=HELLO, headers=headers).status_code == 200
    answer = client.post(CHAT, json={**HELLO, "temperature": 1}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (409, "idempotency_error")
    assert len(_runs(project)) == 1


def test_idempotency__after_a_refusal_or_a_failure__gives_the_key_back(
    client: httpx2.Client, project: Project
) -> None:
    headers = {"Idempotency-Key": "order-3"}
    assert client.post(CHAT, json={**HELLO, "model": "nobody/x"}, headers=headers).status_code == 404
    assert client.post(CHAT, json={**HELLO, "sandbox_error_rate": 1}, headers=headers).status_code == 502
    assert client.post(CHAT, json=HELLO, headers=headers).status_code == 200


def test_idempotency__as_a_stream__replays_the_text(client: httpx2.Client, project: Project) -> None:
    headers = {"Idempotency-Key": "order-4"}
    body = {**HELLO, "stream": True}
    first, second = (client.post(CHAT, json=body, headers=headers) for _ in range(2))
    assert second.headers["idempotent-replayed"] == "true"
    assert _text(first.text) == _text(second.text) != ""
    assert second.text.endswith("data: [DONE]\n\n")
    assert len(_runs(project)) == 1


def test_payload__in_the_database__is_sealed(client: httpx2.Client, project: Project) -> None:
    client.post(CHAT, json={**HELLO, "messages": [{"role": "user", "content": "A very secret word"}]})
    with organization_scope(project.organization_id):
        payload = RunPayload.objects.get()
    assert b"secret" not in bytes(payload.content) + bytes(payload.preview)


def test_health__of_a_running_gateway__is_ok(gateway_url: str) -> None:
    assert httpx2.get(f"{gateway_url}/healthz").status_code == 200
    ready = httpx2.get(f"{gateway_url}/readyz")
    assert (ready.status_code, ready.json()["change_feed"]) == (200, True)


def _text(stream: str) -> str:
    text = ""
    for line in stream.splitlines():
        if line.startswith("data: {"):
            for choice in httpx2.Response(200, content=line[6:].encode()).json()["choices"]:
                text += choice["delta"].get("content", "")
    return text


def _for_a_second() -> Iterator[None]:
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        yield
        time.sleep(0.1)


def test_api_version__another_is_refused_ours_is_told(client: httpx2.Client) -> None:
    refused = client.get("/v1/models", headers={"Promptsaas-Version": "2020-01-01"})
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "unknown_version"
    ours = client.get("/v1/models", headers={"Promptsaas-Version": "2026-11-20"})
    assert ours.status_code == 200
    assert ours.headers["Promptsaas-Version"] == "2026-11-20"
    assert ours.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get("/healthz", headers={"Promptsaas-Version": "x"}).status_code == 200
