"""What a person does with a batch beside stopping it: pause, go on, retry, change how it runs."""

from collections.abc import Callable
from typing import ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect

from apps.batches import queries, services
from apps.batches.models import BatchJob, JobStatus
from apps.batches.rules import choice_of, rule_of
from apps.batches.services import RetryChoice
from apps.batches.web.control_forms import ControlForm
from apps.batches.web.views import head_context
from apps.core.errors import Conflict, InvalidRequest
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

RETRIES = {"": RetryChoice(), "failed": RetryChoice(stopped=False), "cancelled": RetryChoice(failed=False)}


class PauseView(ProjectView):
    """Pause a batch."""

    permissions: ClassVar = {"POST": Permission.BATCHES_RUN}

    def post(self, request: HttpRequest, batch: str, **kwargs: str) -> HttpResponseRedirect:
        return _done(self, batch, lambda job: services.pause_batch(actor=self.access.actor, job=job))


class ResumeView(ProjectView):
    """Let a paused batch go on."""

    permissions: ClassVar = {"POST": Permission.BATCHES_RUN}

    def post(self, request: HttpRequest, batch: str, **kwargs: str) -> HttpResponseRedirect:
        return _done(self, batch, lambda job: services.resume_batch(actor=self.access.actor, job=job))


class RetryView(ProjectView):
    """Run what failed or was stopped once more: all of it, or what the pressed button says."""

    permissions: ClassVar = {"POST": Permission.BATCHES_RUN}

    def post(self, request: HttpRequest, batch: str, **kwargs: str) -> HttpResponseRedirect:
        choice = RETRIES.get(request.POST.get("status", ""), RETRIES[""])
        code = request.POST.get("code", "").replace("\0", "")[:64]
        if code:
            choice = RetryChoice(stopped=False, codes=(code,))

        def retry(job: BatchJob) -> None:
            rows = services.retry_failed(actor=self.access.actor, job=job, choice=choice)
            messages.info(request, f"{rows:,} row{'s' * (rows != 1)} will be run once more.")

        return _done(self, batch, retry)


class ControlView(ProjectView):
    """How a batch runs, to look at and, until it has ended, to change."""

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW, "POST": Permission.BATCHES_RUN}

    def get(self, request: HttpRequest, batch: str, **kwargs: str) -> HttpResponse:
        job = queries.get_job(self.project, batch)
        return self._page(job, ControlForm(job=job))

    def post(self, request: HttpRequest, batch: str, **kwargs: str) -> HttpResponse:
        job = queries.get_job(self.project, batch)
        form = ControlForm(request.POST, job=job)
        if not form.is_valid():
            return self._page(job, form, status=422)
        try:
            services.change_batch(actor=self.access.actor, job=job, changes=form.changes())
        except (Conflict, InvalidRequest) as problem:
            form.add_error(problem.param if problem.param in form.fields else None, problem.message)
            return self._page(job, form, status=422)
        messages.success(request, "Saved. It holds for the next rows.")
        return redirect(self.address("batches:detail", job.public_id))

    def _page(self, job: BatchJob, form: ControlForm, *, status: int = 200) -> HttpResponse:
        rule = rule_of(job.rerun_rule)
        context = {
            **head_context(self, job),
            "form": form,
            "may_change": self.access.can(Permission.BATCHES_RUN)
            and not job.is_terminal
            and job.status != JobStatus.VALIDATING,
            "rule_words": rule.words() if rule else "",
            "choice_words": choice_of(job.rerun_choice).words() if job.rerun_choice else "",
        }
        return self.render("batches/control.html", context, status=status)


def _done(view: ProjectView, batch: str, act: Callable[[BatchJob], object]) -> HttpResponseRedirect:
    """Do something with a batch and go back to it; what can't be done is said there."""
    job = queries.get_job(view.project, batch)
    try:
        act(job)
    except (Conflict, InvalidRequest) as problem:
        messages.error(view.request, problem.message)
    return redirect(view.address("batches:detail", job.public_id))
