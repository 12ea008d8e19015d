"""What pages, API and admin share at the door."""

from collections.abc import Mapping
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.views import View

HANDLED: Final = ("get", "post", "put", "patch", "delete")


def check_permissions(view: type[View], permissions: Mapping[str, str]) -> None:
    """Raises ImproperlyConfigured unless ``permissions`` names exactly the methods that a view handles."""
    handled = {method.upper() for method in HANDLED if hasattr(view, method)}
    if handled != set(permissions):
        raise ImproperlyConfigured(
            f"{view.__module__}.{view.__qualname__} handles {sorted(handled)} "
            f"but declares permissions for {sorted(permissions)}."
        )


def client_ip(request: HttpRequest) -> str | None:
    """The caller's address as core's middleware worked it out from the trusted proxies."""
    return getattr(request, "client_address", None)


def refusal_reason(permission: str, request: HttpRequest) -> str:
    """What the audit trail says of a refused attempt."""
    return f"{permission} is missing for {request.method} {request.path[:200]}"
