"""The page of a background run that no record tells of yet, and cancelling it."""

from typing import ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core.errors import Conflict
from apps.runs import queries
from apps.runs.background.queries import find_background
from apps.runs.background.starting import cancel_background
from apps.runs.models import BackgroundRun
from apps.tenants.models import APIKey
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

TEMPLATES = {True: "runs/background_state.html", False: "runs/background.html"}


def looks_again(request: HttpRequest) -> bool:
    """Whether the page asks by itself how far its run is."""
    return request.headers.get("HX-Request") == "true" and request.GET.get("part") == "state"


def background_page(view: ProjectView, run: BackgroundRun) -> HttpResponse:
    """The run as it stands; while it waits or is under way the page looks again by itself."""
    context = {
        "run": run,
        "api_key": APIKey.objects.filter(pk=run.api_key_id).first(),
        "can_cancel": view.access.can(Permission.RUNS_CREATE)
        and not run.is_over
        and run.cancel_requested_at is None,
    }
    return view.render(TEMPLATES[looks_again(view.request)], context)


def load_again() -> HttpResponse:
    """The answer to a page that waits for a run which has ended meanwhile: the run's own page."""
    return HttpResponse(headers={"HX-Refresh": "true"})


class CancelView(ProjectView):
    """Cancel a background run."""

    permissions: ClassVar = {"POST": Permission.RUNS_CREATE}

    def post(self, request: HttpRequest, *, run: str, **_: str) -> HttpResponse:
        found = find_background(self.project.id, run)
        if found is None:
            # One that was never in the background has ended; one that isn't there is not found.
            run = queries.get_run(self.project.id, run).public_id
            messages.error(request, "This run has ended.")
            return redirect(self.address("runs:detail", run))
        try:
            cancelled = cancel_background(actor=self.access.actor, run=found)
        except Conflict as problem:
            messages.error(request, problem.message)
        else:
            over = "The run is cancelled." if cancelled.is_over else "The run is cancelled within seconds."
            messages.info(request, over)
        return redirect(self.address("runs:detail", found.public_id))
