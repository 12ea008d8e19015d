"""Health for load balancers and supervisors, and the page of error codes."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from apps.core import health
from apps.core.error_catalogue import CATALOGUE
from apps.core.errors import NotFound
from apps.core.json_bodies import dump_json


@require_safe
def liveness(request: HttpRequest) -> HttpResponse:
    """Whether the process answers."""
    return _answer(health.liveness())


@require_safe
def readiness(request: HttpRequest) -> HttpResponse:
    """Whether the process can do its work."""
    return _answer(health.readiness())


@require_safe
def error_catalogue(request: HttpRequest) -> HttpResponse:
    """What every error code means."""
    return render(request, "errors/catalogue.html", {"entries": catalogue_entries()})


@csrf_exempt
def nothing_here(request: HttpRequest) -> HttpResponse:
    """An address under /api/ that no view took. Raises NotFound, which is told as JSON."""
    raise NotFound("There is nothing at this address.", code="route_not_found")


def catalogue_entries() -> list[dict[str, Any]]:
    """The codes in order; ``parts`` is the explanation as pairs of text and whether it is code."""
    return [
        {"code": code, "parts": [(part, at % 2 == 1) for at, part in enumerate(text.split("`"))]}
        for code, text in sorted(CATALOGUE.items())
    ]


def _answer(found: health.Health) -> HttpResponse:
    return HttpResponse(
        dump_json(found.body()),
        status=found.status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
