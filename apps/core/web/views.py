"""Health for load balancers and supervisors."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from apps.core import health
from apps.core.json_bodies import dump_json


@require_safe
def liveness(request: HttpRequest) -> HttpResponse:
    """Whether the process answers."""
    return _answer(health.liveness())


@require_safe
def readiness(request: HttpRequest) -> HttpResponse:
    """Whether the process can do its work."""
    return _answer(health.readiness())


def _answer(found: health.Health) -> HttpResponse:
    return HttpResponse(
        dump_json(found.body()),
        status=found.status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
