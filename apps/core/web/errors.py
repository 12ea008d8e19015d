"""Error pages, and their JSON form under /api/."""

import sys
from http import HTTPStatus

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template import loader
from django.utils.html import format_html

from apps.core import errors
from apps.core.error_mapping import InternalError, to_error
from apps.core.json_bodies import dump_json
from apps.core.logs import get_logger
from apps.core.request_id import current_request_id

PAGES = frozenset({400, 403, 404, 409, 429, 500, 503})
# The database or the session may be what is broken: these pages ask neither.
PLAIN_PAGES = frozenset({500, 503})

logger = get_logger(__name__)


def is_api(request: HttpRequest) -> bool:
    """Whether the caller is a program that wants JSON."""
    return request.path_info.startswith(("/api/", "/v1/"))


def error_response(request: HttpRequest, exception: Exception) -> HttpResponse | None:
    """The answer to an expected error; None for a defect."""
    error = to_error(exception, log=False)
    if isinstance(error, InternalError):
        return None
    return answer(request, error)


def answer(request: HttpRequest, error: errors.PromptsaasError) -> HttpResponse:
    """An error as JSON under /api/, as a page elsewhere."""
    if is_api(request):
        body = dump_json(error.body(current_request_id()))
        return HttpResponse(
            body, status=error.status, content_type="application/json", headers=error.headers()
        )
    return HttpResponse(_page(request, error), status=error.status, headers=error.headers())


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400."""
    return answer(request, errors.InvalidRequest("The request is not valid."))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403."""
    return answer(request, to_error(PermissionDenied()))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    return answer(request, to_error(Http404()))


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """handler429, which allauth's limits ask for."""
    message = "Too many tries from here. Wait a minute, then try again."
    return answer(request, errors.RateLimited(message, retry_after=60))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500, called while the exception is handled: an outage is told as 503."""
    exception = sys.exc_info()[1]
    if isinstance(exception, Exception):
        return answer(request, to_error(exception, log=False))
    return answer(request, InternalError("Something went wrong on our side."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Django's CSRF_FAILURE_VIEW."""
    logger.info("csrf.refused", extra={"reason": reason})
    if is_api(request):
        message = "The CSRF token is missing or not valid."
        return answer(request, errors.PermissionDenied(message, code="csrf_failed"))
    context = {"request_id": current_request_id()}
    return HttpResponse(loader.render_to_string("errors/csrf.html", context, request), status=403)


def _page(request: HttpRequest, error: errors.PromptsaasError) -> str:
    status = error.status if error.status in PAGES else 500 if error.status >= 500 else 400
    context = {"error": error, "message": error.message, "request_id": current_request_id()}
    try:
        template = loader.get_template(f"errors/{status}.html")
        return str(template.render(context, None if status in PLAIN_PAGES else request))
    except Exception:
        # An error page that fails must not hide the error.
        logger.exception("error_page.failed")
        title = HTTPStatus(error.status).phrase
        return format_html(
            "<!doctype html><html lang=en><title>{}</title><h1>{}</h1><p>{}</p><p>Request id: {}</p></html>",
            title,
            title,
            error.message,
            current_request_id() or "",
        )
