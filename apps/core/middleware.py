"""Around every request of the web process: its id, the security headers, and errors told as pages or JSON."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch

from apps.core import log_fields
from apps.core.api_version import API_VERSION, VERSION_HEADER, check_version
from apps.core.client_address import client_address
from apps.core.errors import InvalidRequest, NotFound
from apps.core.logs import get_logger
from apps.core.metrics import count_request
from apps.core.request_id import new_request_id, set_request_id
from apps.core.web.errors import answer, error_response, is_api

REST_LIMIT: Final = 16 * 1024 * 1024
REST_BLOCK: Final = 64 * 1024
REST_SECONDS: Final = 5.0
# Asked every few seconds by whoever watches a process.
UNLOGGED: Final = frozenset({"/healthz", "/readyz"})
PERMISSIONS_POLICY: Final = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"

GetResponse = Callable[[HttpRequest], HttpResponse]

logger = get_logger(__name__)


class RequestContextMiddleware:
    """Gives the request its id and the client's address; the answer carries the id.

    Sets `request.request_id` and `request.client_address`.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = new_request_id()
        request.request_id = request_id  # type: ignore[attr-defined]
        request.client_address = client_address(  # type: ignore[attr-defined]
            request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
        )
        set_request_id(request_id)
        log_fields.begin(request_id)
        started = time.monotonic()
        try:
            refused = _refused_characters(request) or _refused_version(request)
            response = refused or self.get_response(request)
            _log(request, response, time.monotonic() - started)
        finally:
            log_fields.end()
            set_request_id(None)
        if response.status_code >= 400:
            _read_the_rest(request)
        response["Request-Id"] = request_id
        if is_api(request):
            response.setdefault(VERSION_HEADER, API_VERSION)
        return response


class SecurityHeadersMiddleware:
    """Content-Security-Policy and its siblings on every answer; Django's own middleware sets the rest."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.setdefault("Content-Security-Policy", settings.CONTENT_SECURITY_POLICY)
        response.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        # Pages and API answers hold an organization's data: no shared cache may keep them.
        response.setdefault("Cache-Control", "private, no-cache")
        return response


class ErrorMiddleware:
    """Turns what a view raises into an error page, or into the one JSON shape under /api/."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Leaves defects to Django, which logs them and answers through `handler500`."""
        return error_response(request, exception)


def _log(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    """One line for each request: the address as the table of addresses has it, never with its values."""
    match = request.resolver_match
    route = _route_name(match, response.status_code)
    count_request(request.method or "", route, response.status_code, seconds)
    if match is None and response.status_code < 400:
        # A static file.
        return
    quiet = request.path_info in UNLOGGED and response.status_code < 400
    logger.log(
        logging.DEBUG if quiet else logging.INFO,
        "request.finished",
        extra={
            "method": request.method,
            "route": match.route if match else "",
            "status": response.status_code,
            "duration_ms": round(seconds * 1000, 1),
        },
    )


def _route_name(match: ResolverMatch | None, status: int) -> str:
    if match is None:
        return "unmatched" if status >= 400 else "static"
    return f"/{match.route}"


def _read_the_rest(request: HttpRequest) -> None:
    """Take a refused body to its end: the connection would be reset under a client that is still sending.

    Within bounds: whoever sends more, or more slowly, may lose the answer.
    """
    until = time.monotonic() + REST_SECONDS
    with suppress(OSError):
        for _ in range(REST_LIMIT // REST_BLOCK):
            if not request.read(REST_BLOCK) or time.monotonic() > until:
                return


def _refused_version(request: HttpRequest) -> HttpResponse | None:
    if not is_api(request):
        return None
    try:
        check_version(request.headers.get(VERSION_HEADER, ""))
    except InvalidRequest as error:
        return answer(request, error)
    return None


def _refused_characters(request: HttpRequest) -> HttpResponse | None:
    """Postgres stores no NUL, so what is looked up by an address or a cookie can't hold one either."""
    if "\0" in request.path_info:
        return answer(request, NotFound("There is nothing at this address."))
    texts = {**request.COOKIES, **_query_texts(request)}
    name = next((name for name, text in texts.items() if "\0" in name + text), None)
    if name is None:
        return None
    param = name.replace("\0", "")
    return answer(
        request, InvalidRequest(f"{param} holds a NUL character.", code="invalid_character", param=param)
    )


def _query_texts(request: HttpRequest) -> dict[str, str]:
    if "%00" not in request.META.get("QUERY_STRING", ""):
        return {}
    return {name: "".join(map(str, texts)) for name, texts in request.GET.lists()}
