"""The gateway's routes: the one table that dispatch and the access matrix both read."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from apps.gateway.chat import complete_chat
from apps.gateway.embeddings import create_embeddings
from apps.gateway.health import healthz, readyz
from apps.gateway.http import HttpRequest, Send
from apps.gateway.models_list import list_models, show_model
from apps.gateway.playground import run_playground
from apps.gateway.prompts import render_prompt, run_prompt, show_prompt
from apps.gateway.response_lookup import show_response
from apps.gateway.responses import create_response
from apps.gateway.serving import Serving
from apps.runs.playground_tokens import PlaygroundUser
from apps.tenants.access import AccessFacts
from apps.tenants.roles import Permission

PublicHandler = Callable[[Serving, HttpRequest, Send], Awaitable[None]]
KeyHandler = Callable[[Serving, HttpRequest, Send, AccessFacts], Awaitable[None]]
PlaygroundHandler = Callable[[Serving, HttpRequest, Send, PlaygroundUser], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class PublicRoute:
    """Answered to anybody."""

    method: str
    path: str
    handler: PublicHandler


@dataclass(frozen=True, slots=True)
class KeyRoute:
    """Needs an API key with the permission. The `*` of a path stands for one or more characters."""

    method: str
    path: str
    permission: Permission
    handler: KeyHandler


@dataclass(frozen=True, slots=True)
class PlaygroundRoute:
    """Needs a token of the playground, whose user has the permission; an API key doesn't do."""

    method: str
    path: str
    permission: Permission
    handler: PlaygroundHandler


Route = PublicRoute | KeyRoute | PlaygroundRoute

ROUTES: Final[tuple[Route, ...]] = (
    PublicRoute("GET", "/healthz", healthz),
    PublicRoute("GET", "/readyz", readyz),
    KeyRoute("POST", "/v1/chat/completions", Permission.RUNS_CREATE, complete_chat),
    KeyRoute("POST", "/v1/responses", Permission.RUNS_CREATE, create_response),
    KeyRoute("GET", "/v1/responses/*", Permission.RUNS_CREATE, show_response),
    KeyRoute("POST", "/v1/embeddings", Permission.RUNS_CREATE, create_embeddings),
    KeyRoute("GET", "/v1/models", Permission.RUNS_CREATE, list_models),
    KeyRoute("GET", "/v1/models/*", Permission.RUNS_CREATE, show_model),
    PlaygroundRoute("POST", "/v1/playground/run", Permission.RUNS_CREATE, run_playground),
    KeyRoute("GET", "/api/v1/prompts/*", Permission.PROMPTS_VIEW, show_prompt),
    KeyRoute("POST", "/api/v1/prompts/*/render", Permission.PROMPTS_VIEW, render_prompt),
    KeyRoute("POST", "/api/v1/prompts/*/run", Permission.RUNS_CREATE, run_prompt),
)

_EXACT: Final = {(route.method, route.path): route for route in ROUTES if "*" not in route.path}
_STARRED: Final = tuple((route.path.split("*"), route) for route in ROUTES if "*" in route.path)


def find_route(method: str, path: str) -> Route | None:
    """The route of a request, or None. HEAD is answered as GET, without its body."""
    method = "GET" if method == "HEAD" else method
    found = _EXACT.get((method, path))
    if found is not None:
        return found
    for (beginning, ending), route in _STARRED:
        fits = path.startswith(beginning) and path.endswith(ending)
        if route.method == method and fits and len(path) > len(beginning) + len(ending):
            return route
    return None


def allowed_methods(path: str) -> list[str]:
    """The methods that a path answers to; empty when there is nothing there."""
    return sorted({route.method for route in ROUTES if find_route(route.method, path) is not None})
