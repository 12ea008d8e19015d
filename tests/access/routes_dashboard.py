"""Rows of dashboard."""

from apps.tenants.roles import ANY_MEMBER, Permission
from tests.access.matrix import STAFF, Route

_PROJECT = "<slug:organization>/<slug:project>"

FILLS = {"example": lambda project: "tutor", "name": lambda project: "tutor"}

ROUTES = (
    Route("GET", "styleguide/", STAFF),
    Route(
        "GET",
        r"^(?P<organization>(?!profile/|invitations/)[-\w]+)/(?P<project>(?!new/|settings/)[-\w]+)/$",
        ANY_MEMBER,
    ),
    Route("GET", "<slug:organization>/settings/usage/split/", Permission.RUNS_VIEW),
    Route("GET", f"{_PROJECT}/search/", ANY_MEMBER),
    Route("GET", f"{_PROJECT}/welcome/", ANY_MEMBER),
    Route("POST", f"{_PROJECT}/welcome/try/", Permission.RUNS_CREATE),
    Route("POST", f"{_PROJECT}/welcome/key/", Permission.KEYS_MANAGE),
    Route("GET", f"{_PROJECT}/welcome/call/", ANY_MEMBER),
    Route("POST", f"{_PROJECT}/welcome/skip/", ANY_MEMBER),
    Route("GET", f"{_PROJECT}/gallery/", Permission.PROMPTS_VIEW),
    Route("GET", f"{_PROJECT}/gallery/<slug:example>/", Permission.PROMPTS_VIEW, shared=True),
    Route("POST", f"{_PROJECT}/gallery/<slug:example>/", Permission.PROMPTS_EDIT, shared=True),
    Route("GET", "api/v1/gallery", Permission.PROMPTS_VIEW),
    Route("POST", "api/v1/gallery/<slug:name>/install", Permission.PROMPTS_EDIT, shared=True),
    Route("GET", f"{_PROJECT}/home/activity/", Permission.RUNS_VIEW),
    Route("GET", f"{_PROJECT}/home/batches/", Permission.BATCHES_VIEW),
    Route("GET", f"{_PROJECT}/home/alerts/", Permission.RUNS_VIEW),
    Route("GET", f"{_PROJECT}/home/failing/", Permission.RUNS_VIEW),
    Route("GET", f"{_PROJECT}/home/drafts/", Permission.PROMPTS_EDIT),
    Route("GET", f"{_PROJECT}/home/labels/", Permission.PROMPTS_VIEW),
    Route("GET", f"{_PROJECT}/home/quota/", Permission.USAGE_VIEW),
)
