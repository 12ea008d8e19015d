"""How long one run is kept: a fragment for the run's page."""

from typing import ClassVar

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from apps.retention import queries
from apps.retention.web.presenting import time_left
from apps.runs.queries import get_run
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView


class RunRetentionPanel(ProjectView):
    """Until when a run's content and facts are kept, or that a hold or nothing ends it."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, run: str, **_: str) -> HttpResponse:
        found = get_run(self.project.id, run)
        kept = queries.run_retention(found)
        now = timezone.now()
        context = {
            "run": found,
            "kept": kept,
            "has_content": queries.has_content(found),
            "content_left": time_left(kept.content_until, now),
            "facts_left": time_left(kept.facts_until, now),
        }
        return self.render("retention/run.html", context)
