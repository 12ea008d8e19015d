"""The API's documents. They are public: they tell of the product, not of a customer."""

from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.core.error_catalogue import CATALOGUE
from apps.core.json_bodies import dump_json
from promptsaas.api_reference.document import openapi_document
from promptsaas.api_reference.operations import Group, groups_of
from promptsaas.api_reference.postman import postman_collection


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document."""
    return HttpResponse(_openapi(), content_type="application/json")


@require_safe
def reference(request: HttpRequest) -> HttpResponse:
    """Every operation of the API on one page, which needs nothing from elsewhere."""
    context = {"groups": _groups(), "origin": settings.PUBLIC_URL, "error_codes": len(CATALOGUE)}
    return render(request, "reference/page.html", context)


@require_safe
def collection(request: HttpRequest) -> HttpResponse:
    """The Postman collection as a file."""
    headers = {"Content-Disposition": 'attachment; filename="promptsaas.postman_collection.json"'}
    return HttpResponse(_collection(), content_type="application/json", headers=headers)


@lru_cache(maxsize=1)
def _openapi() -> bytes:
    return dump_json(openapi_document())


@lru_cache(maxsize=1)
def _groups() -> list[Group]:
    return groups_of(openapi_document(), settings.PUBLIC_URL)


@lru_cache(maxsize=1)
def _collection() -> bytes:
    return dump_json(postman_collection(openapi_document(), settings.PUBLIC_URL))
