"""Home and its panels. Each panel is an address of its own, so a slow or broken one never holds the page."""

from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from apps.analytics.freshness import rolled_up_until
from apps.billing.queries import usage_summary
from apps.core import ids
from apps.dashboard import queries
from apps.dashboard.alarms import alarms
from apps.dashboard.onboarding import progress_of
from apps.dashboard.search import find
from apps.dashboard.web.welcome import is_skipped
from apps.prompts.queries import my_drafts
from apps.tenants.roles import ANY_MEMBER, Permission
from apps.tenants.web.base import ProjectView

PANELS = (
    ("activity", "Today", Permission.RUNS_VIEW),
    ("alerts", "Alerts", Permission.RUNS_VIEW),
    ("batches", "Running batches", Permission.BATCHES_VIEW),
    ("failing", "Failing prompts", Permission.RUNS_VIEW),
    ("labels", "Label moves", Permission.PROMPTS_VIEW),
    ("drafts", "My drafts", Permission.PROMPTS_EDIT),
    ("quota", "This month", Permission.USAGE_VIEW),
)


class HomeView(ProjectView):
    """What needs me; a project in which nothing has happened leads to its quickstart."""

    permissions: ClassVar[dict[str, str]] = {"GET": ANY_MEMBER}

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Answer with the frame at once; the panels load after it."""
        progress = progress_of(self.project)
        can_start = self.access.can(Permission.RUNS_CREATE)
        if can_start and progress.done == 0 and not is_skipped(request, self.project):
            return redirect(self.address("dashboard:welcome"))
        panels = [
            {"title": title, "href": self.address(f"dashboard:{name}")}
            for name, title, permission in PANELS
            if self.access.can(permission)
        ]
        context = {"progress": progress, "panels": panels, "can_start": can_start}
        return self.render("dashboard/home.html", context)


class ActivityPanel(ProjectView):
    """Requests, errors and cost of today against yesterday."""

    permissions: ClassVar[dict[str, str]] = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Answer with the panel."""
        now = timezone.localtime()
        today, yesterday = queries.today_and_yesterday(self.project.id, now)
        context = {"today": today, "yesterday": yesterday, "until": min(rolled_up_until(), now)}
        return self.render("dashboard/panels.html#activity", context)


class AlertsPanel(ProjectView):
    """Alert rules that fire, and incidents that are open."""

    permissions: ClassVar[dict[str, str]] = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Answer with the panel."""
        shown = alarms(self.project, quotas=self.access.can(Permission.USAGE_VIEW))
        return self.render("dashboard/panels.html#alerts", {"alarms": shown})


class BatchesPanel(ProjectView):
    """Batches that still run."""

    permissions: ClassVar[dict[str, str]] = {"GET": Permission.BATCHES_VIEW}

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Answer with the panel."""
        return self.render("dashboard/panels.html#batches", {"jobs": queries.open_batches(self.project.id)})


class LabelsPanel(ProjectView):
    """The newest label moves."""

    permissions: ClassVar[dict[str, str]] = {"GET": Permission.PROMPTS_VIEW}

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Answer with the panel."""
        return self.render(
            "dashboard/panels.html#labels", {"moves": queries.recent_label_moves(self.project.id)}
        )


class FailingPanel(ProjectView):
    """Prompts of which runs failed in the last 24 hours."""

    permissions: ClassVar[dict[str, str]] = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Answer with the panel."""
        rows = [
            {"row": row, "prompt": ids.encode("prm", row.prompt_id)}
            for row in queries.failing_prompts(self.project.id, timezone.now())
        ]
        return self.render("dashboard/panels.html#failing", {"rows": rows})


class DraftsPanel(ProjectView):
    """What I began to write and did not save as a version."""

    permissions: ClassVar[dict[str, str]] = {"GET": Permission.PROMPTS_EDIT}

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Answer with the panel."""
        drafts = my_drafts(self.user, self.project)[: queries.RECENT]
        return self.render("dashboard/panels.html#drafts", {"drafts": drafts})


class QuotaPanel(ProjectView):
    """What the plan of the organization includes this month, and what is used."""

    permissions: ClassVar[dict[str, str]] = {"GET": Permission.USAGE_VIEW}

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Answer with the panel."""
        return self.render("dashboard/panels.html#quota", {"usage": usage_summary(self.organization.id)})


class SearchView(ProjectView):
    """What a name or an id leads to: a page, or the list alone for the search box."""

    permissions: ClassVar[dict[str, str]] = {"GET": ANY_MEMBER}
    scoped: ClassVar[bool] = False

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Answer with the hits for `q`."""
        text = request.GET.get("q", "")[:200]
        groups = find(self.user, self.session, self.project, text)
        part = "#hits" if request.headers.get("HX-Request") else ""
        with self.scope():
            return self.render(f"dashboard/search.html{part}", {"text": text, "groups": groups})
