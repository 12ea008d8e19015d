"""Feedback given and taken back on the page of a run."""

from typing import ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core.errors import InvalidRequest
from apps.runs import queries, services
from apps.runs.feedback import feedback_of, giver_of
from apps.runs.web.forms import FeedbackForm
from apps.runs.web.views import RunPage
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView


class GiveFeedbackView(RunPage):
    """Say what you think of a run."""

    permissions: ClassVar = {"POST": Permission.RUNS_CREATE}

    def post(self, request: HttpRequest, *, run: str, **_: str) -> HttpResponse:
        # The answer shows the run, which takes the right to see it.
        self.access.require(Permission.RUNS_VIEW)
        found = queries.get_run(self.project.id, run)
        form = FeedbackForm(request.POST)
        if form.is_valid():
            try:
                services.give_feedback(giver=giver_of(self.access.actor), run=found, **form.cleaned_data)
            except InvalidRequest as refusal:
                form.add_error(refusal.param if refusal.param in form.fields else None, refusal.message)
            else:
                messages.success(request, "Feedback saved.")
                return redirect(f"{self.address('runs:detail', found.public_id)}#feedback")
        return self.render("runs/detail.html", self.page_context(found, form), status=422)


class RemoveFeedbackView(ProjectView):
    """Take back what you said of a run."""

    permissions: ClassVar = {"POST": Permission.RUNS_CREATE}

    def post(self, request: HttpRequest, *, run: str, **_: str) -> HttpResponse:
        found = queries.get_run(self.project.id, run)
        giver = giver_of(self.access.actor)
        own = feedback_of(found).filter(giver=giver.key).first()
        if own is not None:
            services.remove_feedback(giver=giver, feedback=own)
            messages.success(request, "Feedback removed.")
        return redirect(f"{self.address('runs:detail', found.public_id)}#feedback")
