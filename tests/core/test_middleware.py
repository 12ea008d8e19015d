import re

import pytest
from django.core.handlers.exception import convert_exception_to_response
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from apps.core import errors
from apps.core.client_address import client_address
from apps.core.middleware import ErrorMiddleware, RequestContextMiddleware
from apps.core.request_id import current_request_id
from apps.core.web import errors as pages


@pytest.mark.django_db
def test_any_answer__has_request_id_and_security_headers(client: Client) -> None:
    response = client.get("/healthz")
    assert response.status_code == 200
    assert re.fullmatch(r"req_[0-9a-z]{26}", response["Request-Id"])
    policy = response["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert "Permissions-Policy" in response
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.django_db
def test_request_id__sent_by_the_client__is_not_taken(client: Client) -> None:
    first = client.get("/healthz", headers={"Request-Id": "req_mine"})["Request-Id"]
    assert first != "req_mine"
    assert first != client.get("/healthz")["Request-Id"]


@pytest.mark.django_db
def test_unknown_page__is_an_error_page_with_the_request_id(client: Client) -> None:
    response = client.get("/no/such/page/at/all")
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")
    assert response["Request-Id"] in response.content.decode()


@pytest.mark.django_db
def test_unknown_api_address__is_json(client: Client) -> None:
    response = client.get("/api/v1/no-such-thing")
    assert response.status_code == 404
    assert response.json()["error"]["type"] == "not_found_error"
    assert response.json()["error"]["request_id"] == response["Request-Id"]
    assert response["Promptsaas-Version"] == "2026-11-20"


@pytest.mark.parametrize("address", ["/api/v1/prompts/", "/api/v1/prompts/a%0Ab/labels", "/api/v2/prompts"])
def test_api_address__near_one_of_ours__is_json_and_no_page(client: Client, address: str) -> None:
    for response in (client.get(address), client.post(address)):
        assert (response.status_code, response.json()["error"]["code"]) == (404, "route_not_found")


@pytest.mark.django_db
def test_version__other_than_ours__is_refused_under_the_api_only(client: Client) -> None:
    refused = client.get("/api/v1/no-such-thing", headers={"Promptsaas-Version": "2020-01-01"})
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "Promptsaas-Version"
    assert refused["Request-Id"] == refused.json()["error"]["request_id"]
    named = client.get("/api/v1/no-such-thing", headers={"Promptsaas-Version": "2026-11-20"})
    assert named.status_code == 404
    assert client.get("/healthz", headers={"Promptsaas-Version": "x"}).status_code == 200


@pytest.mark.parametrize("address", ["/api/v1/runs?model=a%00", "/api/v1/runs?%00model=a"])
def test_nul__in_a_query__is_a_bad_request_that_names_it(client: Client, address: str) -> None:
    response = client.get(address)
    assert (response.status_code, response.json()["error"]["param"]) == (400, "model")
    assert client.get("/?q=%00").status_code == 400


def test_nul__in_a_path__is_not_found(client: Client) -> None:
    assert client.get("/api/v1/prompts/a%00b").json()["error"]["type"] == "not_found_error"
    assert client.get("/a%00b/c/prompts/").status_code == 404


def test_nul__in_a_cookie__is_a_bad_request(client: Client) -> None:
    assert client.get("/", headers={"Cookie": r'session="abcdefgh\000"'}).status_code == 400


@pytest.mark.parametrize(("status", "left"), [(404, b""), (200, b"x" * 100_000)])
def test_body__of_a_refused_request__is_read_to_its_end(status: int, left: bytes) -> None:
    request = RequestFactory().post("/", b"x" * 100_000, content_type="application/json")
    RequestContextMiddleware(lambda _: HttpResponse(status=status))(request)
    assert request.read() == left


def test_request_context__during_the_request__names_it_and_the_client() -> None:
    seen: list[str | None] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.extend([current_request_id(), getattr(request, "client_address", None)])
        return HttpResponse()

    response = RequestContextMiddleware(view)(RequestFactory().get("/", REMOTE_ADDR="203.0.113.7"))
    assert seen == [response["Request-Id"], "203.0.113.7"]
    assert current_request_id() is None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidRequest("Not so."), 400),
        (errors.PermissionDenied("Ask an owner."), 403),
        (errors.NotFound("Gone."), 404),
        (errors.Conflict("Somebody was faster."), 409),
        (errors.RateLimited("Slow down.", retry_after=3), 429),
        (errors.QuotaExceeded("Used up."), 429),
        (errors.ProviderFailure("It answered 500."), 502),
        (errors.Unavailable("Busy.", retry_after=2), 503),
        (errors.AuthenticationFailed("Who are you?"), 401),
    ],
)
def test_process_exception__expected_error__is_a_page_or_json(
    error: errors.PromptsaasError, status: int
) -> None:
    middleware = ErrorMiddleware(lambda request: HttpResponse())
    page = middleware.process_exception(RequestFactory().get("/acme/web/prompts/"), error)
    assert page is not None
    assert page.status_code == status
    assert b"<html" in page.content
    answer = middleware.process_exception(RequestFactory().get("/api/v1/prompts"), error)
    assert answer is not None
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"
    assert page.headers.get("Retry-After") == answer.headers.get("Retry-After")


def test_process_exception__defect__is_left_to_django() -> None:
    middleware = ErrorMiddleware(lambda request: HttpResponse())
    assert middleware.process_exception(RequestFactory().get("/"), RuntimeError("x")) is None


def test_server_error__page__tells_nothing_and_needs_no_database() -> None:
    response = pages.server_error(RequestFactory().get("/acme/"))
    assert response.status_code == 500
    assert b"<html" in response.content


@pytest.mark.parametrize(
    ("exception", "status"), [(OperationalError("x"), 503), (RuntimeError("secret"), 500)]
)
def test_server_error__raised_outside_the_view__is_told_by_its_kind(
    exception: Exception, status: int
) -> None:
    def broken(request: HttpRequest) -> HttpResponse:
        raise exception

    response = convert_exception_to_response(broken)(RequestFactory().get("/acme/"))
    assert isinstance(response, HttpResponse)
    assert response.status_code == status
    assert b"secret" not in response.content
    assert ("Retry-After" in response) == (status == 503)


def test_error_page__template_fails__is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise RuntimeError(name)

    monkeypatch.setattr("django.template.loader.get_template", broken)
    response = pages.answer(RequestFactory().get("/"), errors.NotFound("<b>Gone</b>"))
    assert response.status_code == 404
    assert b"&lt;b&gt;Gone" in response.content


def test_not_found__message_of_the_exception__is_not_told() -> None:
    response = pages.not_found(RequestFactory().get("/api/x"), Http404("table secret"))
    assert b"secret" not in response.content


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "expected"),
    [
        ("203.0.113.7", "", [], "203.0.113.7"),
        ("203.0.113.7", "6.6.6.6", [], "203.0.113.7"),
        ("203.0.113.7", "6.6.6.6", ["10.0.0.0/8"], "203.0.113.7"),
        ("10.0.0.1", "198.51.100.4", ["10.0.0.0/8"], "198.51.100.4"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.4", ["10.0.0.0/8"], "198.51.100.4"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.4, 10.0.0.2", ["10.0.0.0/8"], "198.51.100.4"),
        ("10.0.0.1", "nonsense, 10.0.0.2", ["10.0.0.0/8"], "10.0.0.2"),
        ("10.0.0.1", "", ["10.0.0.0/8"], "10.0.0.1"),
        ("10.0.0.1", "198.51.100.4:5123", ["10.0.0.0/8"], "198.51.100.4"),
        ("10.0.0.1", "[2001:db8::1]:5123", ["10.0.0.0/8"], "2001:db8::1"),
        ("::ffff:10.0.0.1", "198.51.100.4", ["10.0.0.1"], "198.51.100.4"),
        ("", "198.51.100.4", ["127.0.0.1"], "198.51.100.4"),
        ("", "", [], None),
    ],
)
def test_client_address__forwarded__is_believed_as_far_as_proxies_wrote_it(
    settings: Settings, peer: str, forwarded: str, trusted: list[str], expected: str | None
) -> None:
    settings.TRUSTED_PROXIES = trusted
    assert client_address(peer, forwarded) == expected
