"""Rows of prompts."""

from apps.tenants.roles import Permission
from tests.access.matrix import Route, public_id
from tests.factories import make_prompt

_PROJECT = "<slug:organization>/<slug:project>"

FILLS = {
    "prompt": lambda project: public_id("prompts.Prompt", project),
    "name": lambda project: make_prompt(project=project, labels={"production": 1}).name,
    "label": lambda project: "production",
    "number": lambda project: "1",
}

ROUTES = (
    Route("GET", f"{_PROJECT}/prompts/using/", Permission.PROMPTS_VIEW),
    Route("GET", f"{_PROJECT}/prompts/retiring/", Permission.PROMPTS_VIEW),
    Route("GET", "api/v1/prompts", Permission.PROMPTS_VIEW),
    Route("POST", "api/v1/prompts", Permission.PROMPTS_EDIT),
    Route("POST", "api/v1/prompts/bulk", Permission.PROMPTS_EDIT),
    Route("PATCH", "api/v1/prompts/<path:name>", Permission.PROMPTS_EDIT),
    Route("POST", "api/v1/prompts/<path:name>/versions/<int:number>/restore", Permission.PROMPTS_EDIT),
    Route("GET", "api/v1/prompts/<path:name>/versions", Permission.PROMPTS_VIEW),
    Route("POST", "api/v1/prompts/<path:name>/versions", Permission.PROMPTS_EDIT),
    Route("GET", "api/v1/prompts/<path:name>/versions/<int:number>", Permission.PROMPTS_VIEW),
    Route("GET", "api/v1/prompts/<path:name>/labels", Permission.PROMPTS_VIEW),
    Route("GET", "api/v1/prompts/<path:name>/labels/<str:label>", Permission.PROMPTS_VIEW),
    Route("PUT", "api/v1/prompts/<path:name>/labels/<str:label>", Permission.PROMPTS_RELEASE),
    Route("DELETE", "api/v1/prompts/<path:name>/labels/<str:label>", Permission.PROMPTS_RELEASE),
    Route("GET", "api/v1/prompts/<path:name>/labels/<str:label>/history", Permission.PROMPTS_VIEW),
    Route("POST", "api/v1/prompts/<path:name>/labels/<str:label>/rollback", Permission.PROMPTS_RELEASE),
    Route("GET", "api/v1/prompts/<path:name>/diff", Permission.PROMPTS_VIEW),
    Route("GET", "api/v1/prompts/<path:name>/serving", Permission.PROMPTS_VIEW),
    Route("PATCH", "api/v1/prompts/<path:name>/serving", Permission.PROMPTS_RELEASE),
    Route("GET", "api/v1/serving_policy", Permission.PROMPTS_VIEW),
    Route("PATCH", "api/v1/serving_policy", Permission.PROMPTS_RELEASE),
    Route("GET", f"{_PROJECT}/prompts/", Permission.PROMPTS_VIEW),
    *(
        Route(method, f"{_PROJECT}/prompts/{name}/", Permission.PROMPTS_EDIT)
        for name in ("tag", "move", "archive", "restore")
        for method in ("GET", "POST")
    ),
    Route("GET", f"{_PROJECT}/prompts/new/", Permission.PROMPTS_EDIT),
    Route("POST", f"{_PROJECT}/prompts/new/", Permission.PROMPTS_EDIT),
    Route("GET", f"{_PROJECT}/prompts/<str:prompt>/", Permission.PROMPTS_VIEW),
    Route("GET", f"{_PROJECT}/prompts/<str:prompt>/edit/", Permission.PROMPTS_VIEW),
    Route("POST", f"{_PROJECT}/prompts/<str:prompt>/edit/", Permission.PROMPTS_EDIT),
    Route("PUT", f"{_PROJECT}/prompts/<str:prompt>/draft/", Permission.PROMPTS_EDIT),
    Route("POST", f"{_PROJECT}/prompts/<str:prompt>/draft/", Permission.PROMPTS_EDIT),
    Route("GET", f"{_PROJECT}/prompts/<str:prompt>/merge/", Permission.PROMPTS_EDIT),
    Route("POST", f"{_PROJECT}/prompts/<str:prompt>/merge/", Permission.PROMPTS_EDIT),
    Route("POST", f"{_PROJECT}/prompts/<str:prompt>/preview/", Permission.PROMPTS_EDIT),
    *(
        Route(method, f"{_PROJECT}/prompts/<str:prompt>/{name}/", Permission.PROMPTS_EDIT)
        for name in ("properties", "archive", "versions/<int:number>/restore")
        for method in ("GET", "POST")
    ),
    Route("POST", f"{_PROJECT}/prompts/<str:prompt>/restore/", Permission.PROMPTS_EDIT),
    Route("GET", f"{_PROJECT}/prompts/<str:prompt>/history/", Permission.PROMPTS_VIEW),
    Route("GET", f"{_PROJECT}/prompts/<str:prompt>/versions/<int:number>/", Permission.PROMPTS_VIEW),
    Route("GET", f"{_PROJECT}/prompts/<str:prompt>/serving/", Permission.PROMPTS_VIEW),
    Route("POST", f"{_PROJECT}/prompts/<str:prompt>/serving/", Permission.PROMPTS_RELEASE),
    Route("GET", f"{_PROJECT}/settings/serving/", Permission.PROMPTS_VIEW),
    Route("POST", f"{_PROJECT}/settings/serving/", Permission.PROMPTS_RELEASE),
    Route("GET", f"{_PROJECT}/prompts/<str:prompt>/labels/", Permission.PROMPTS_VIEW),
    Route("GET", f"{_PROJECT}/prompts/<str:prompt>/labels/move/", Permission.PROMPTS_RELEASE),
    Route("POST", f"{_PROJECT}/prompts/<str:prompt>/labels/move/", Permission.PROMPTS_RELEASE),
    Route("GET", f"{_PROJECT}/prompts/<str:prompt>/labels/<str:label>/rollback/", Permission.PROMPTS_RELEASE),
    Route(
        "POST", f"{_PROJECT}/prompts/<str:prompt>/labels/<str:label>/rollback/", Permission.PROMPTS_RELEASE
    ),
    Route("GET", f"{_PROJECT}/prompts/<str:prompt>/labels/<str:label>/remove/", Permission.PROMPTS_RELEASE),
    Route("POST", f"{_PROJECT}/prompts/<str:prompt>/labels/<str:label>/remove/", Permission.PROMPTS_RELEASE),
)
