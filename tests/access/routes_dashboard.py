"""Rows of dashboard."""

from apps.tenants.roles import ANY_MEMBER, Permission
from tests.access.matrix import STAFF, Route

_PROJECT = "<slug:organization>/<slug:project>"

ROUTES = (
    Route("GET", "styleguide/", STAFF),
    Route(
        "GET",
        r"^(?P<organization>(?!profile/|invitations/)[-\w]+)/(?P<project>(?!new/|settings/)[-\w]+)/$",
        ANY_MEMBER,
    ),
    Route("GET", f"{_PROJECT}/search/", ANY_MEMBER),
    Route("GET", f"{_PROJECT}/home/steps/", ANY_MEMBER),
    Route("GET", f"{_PROJECT}/home/activity/", Permission.RUNS_VIEW),
    Route("GET", f"{_PROJECT}/home/batches/", Permission.BATCHES_VIEW),
    Route("GET", f"{_PROJECT}/home/labels/", Permission.PROMPTS_VIEW),
    Route("GET", f"{_PROJECT}/home/quota/", Permission.USAGE_VIEW),
)
