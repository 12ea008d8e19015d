"""Home and its panels. Each panel is an address of its own, so a slow or broken one never holds the page."""

from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from apps.billing.queries import usage_summary
from apps.dashboard import queries
from apps.dashboard.search import find
from apps.dashboard.snippets import first_call
from apps.tenants.roles import ANY_MEMBER, Permission
from apps.tenants.web.base import ProjectView

PANELS = (
    ("activity", Permission.RUNS_VIEW),
    ("batches", Permission.BATCHES_VIEW),
    ("labels", Permission.PROMPTS_VIEW),
    ("quota", Permission.USAGE_VIEW),
)


class HomeView(ProjectView):
    """What needs me; a new project sees its first steps instead."""

    permissions: ClassVar[dict[str, str]] = {"GET": ANY_MEMBER}

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Answer with the frame at once; the panels load after it."""
        progress = queries.progress_of(self.project.id)
        shown = {name for name, permission in PANELS if self.access.can(permission)}
        return self.render(
            "dashboard/home.html", {"progress": progress, "panels": shown, **self.call(request)}
        )

    def call(self, request: HttpRequest) -> dict[str, Any]:
        """Return the context of the first-call step."""
        return first_call(self.project.id, request.GET.get("snippet", ""))


class StepsView(HomeView):
    """The checklist alone. The page asks for it again while it waits for the first call."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Answer 286, which ends the polling, once the call has arrived."""
        progress = queries.progress_of(self.project.id)
        context = {"progress": progress, **self.call(request)}
        return self.render("dashboard/home.html#steps", context, status=286 if progress.has_call else 200)


class ActivityPanel(ProjectView):
    """Requests, errors and cost of today against yesterday."""

    permissions: ClassVar[dict[str, str]] = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Answer with the panel."""
        today, yesterday = queries.today_and_yesterday(self.project.id, timezone.localtime())
        return self.render("dashboard/panels.html#activity", {"today": today, "yesterday": yesterday})


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
