"""Rows of the gateway's own table."""

from apps.tenants.roles import Permission
from tests.access.matrix import PUBLIC, Route

ROUTES = ()
PLAYGROUND = "a token of the playground"

GATEWAY = (
    Route("GET", "/healthz", PUBLIC),
    Route("GET", "/readyz", PUBLIC),
    Route("POST", "/v1/chat/completions", Permission.RUNS_CREATE),
    Route("POST", "/v1/responses", Permission.RUNS_CREATE),
    Route("GET", "/v1/responses/*", Permission.RUNS_CREATE),
    Route("POST", "/v1/embeddings", Permission.RUNS_CREATE),
    Route("GET", "/v1/models", Permission.RUNS_CREATE),
    Route("GET", "/v1/models/*", Permission.RUNS_CREATE),
    Route("POST", "/v1/playground/run", PLAYGROUND),
    Route("GET", "/api/v1/prompts/*", Permission.PROMPTS_VIEW),
    Route("POST", "/api/v1/prompts/*/render", Permission.PROMPTS_VIEW),
    Route("POST", "/api/v1/prompts/*/run", Permission.RUNS_CREATE),
)
