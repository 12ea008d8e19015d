"""The access matrix: every route with the right it takes.

Each room has ``tests/access/routes_<room>.py`` with

- ``ROUTES``: a ``Route(method, path, needs)`` for every method of every address. ``path`` is the pattern as
  the resolver prints it (``<slug:organization>/<slug:project>/runs/``), or the gateway's own; ``method`` is
  ``*`` for views of libraries; ``needs`` a ``Permission``, ``ANY_MEMBER``, ``PUBLIC``, ``SIGNED_IN`` or
  ``STAFF``; ``example`` the address to try where the pattern can't be filled in.
- ``FILLS``: how to fill a pattern's parameters with a real row of the victim's project, as
  ``{"run": lambda project: public_id("runs.Run", project)}``. ``organization`` and ``project`` are known.

A route without a row, or a row without a route, fails ``test_matrix.py``; so does a row that names another
permission than its view.
"""

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.urls import URLPattern, URLResolver, get_resolver

from apps.tenants.entrance import HANDLED
from apps.tenants.models import Project
from tests.factories import TENANT_FACTORIES

PUBLIC: Final = "public"
SIGNED_IN: Final = "signed in"
STAFF: Final = "staff"
ANY_METHOD: Final = "*"

_PARAMETER: Final = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)")

Fill = Callable[[Project], str]


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one address, and what it takes.

    `shared`: its parameters name what every project has alike, so nobody's ids can be tried.
    """

    method: str
    path: str
    needs: str
    example: str = ""
    shared: bool = False

    @property
    def is_api(self) -> bool:
        """Whether programs call it."""
        return self.path.startswith(("api/v1/", "v1/"))

    @property
    def parameters(self) -> set[str]:
        """The names in the pattern, beside organization and project."""
        names = {first or second for first, second in _PARAMETER.findall(self.path)}
        return names - {"organization", "project"}

    def address(self, values: Mapping[str, str]) -> str:
        """The pattern filled in."""
        if self.example:
            return f"/{self.example}"
        filled = _PARAMETER.sub(lambda match: values[match[1] or match[2]], self.path)
        return "/" + filled.replace("^", "").replace("$", "")


@dataclass(frozen=True, slots=True)
class Found:
    """An address of the resolver; ``methods`` maps each to the permission its view declares, if it does."""

    path: str
    methods: Mapping[str, str | None]


def public_id(label: str, project: Project) -> str:
    """The public id of a new row of a model, made by its factory in the project."""
    return str(TENANT_FACTORIES[label](project).public_id)  # type: ignore[attr-defined]


def rooms() -> list[Any]:
    """The modules ``routes_<room>``."""
    paths = sorted(Path(__file__).parent.glob("routes_*.py"))
    return [importlib.import_module(f"tests.access.{path.stem}") for path in paths]


def table() -> list[tuple[Route, Mapping[str, Fill]]]:
    """Every row with its room's fills."""
    return [(route, getattr(room, "FILLS", {})) for room in rooms() for route in room.ROUTES]


def found_routes() -> Iterator[Found]:
    """Every address of the resolver except the admin's, which has a rule of its own."""
    for pattern in _walk(get_resolver().url_patterns, ""):
        if not pattern.path.startswith("admin/"):
            yield pattern


def admin_paths() -> list[str]:
    """Every pattern of the admin."""
    return [found.path for found in _walk(get_resolver().url_patterns, "") if found.path.startswith("admin/")]


def _walk(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[Found]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, path)
        else:
            yield Found(path, _methods(pattern))


def _methods(pattern: URLPattern) -> Mapping[str, str | None]:
    callback: Any = pattern.callback
    view = getattr(callback, "view_class", None) or getattr(callback, "cls", None)
    if view is None or not view.__module__.startswith("apps."):
        return {ANY_METHOD: None}
    if hasattr(view, "permissions"):
        return dict(view.permissions)
    allowed = set(HANDLED) & set(view.http_method_names)
    return {method.upper(): None for method in HANDLED if method in allowed and hasattr(view, method)}
