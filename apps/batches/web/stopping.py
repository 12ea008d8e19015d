"""Stop one batch; stop or pause all that were chosen in the list."""

from typing import Any, ClassVar

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect

from apps.batches import queries, services
from apps.batches.models import BatchJob, JobStatus
from apps.batches.web.listing import BATCHES
from apps.core.errors import Conflict
from apps.core.tables import Asked
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView


class StopView(ProjectView):
    """Stop a batch."""

    permissions: ClassVar = {"POST": Permission.BATCHES_RUN}

    def post(self, request: HttpRequest, batch: str, **kwargs: str) -> HttpResponseRedirect:
        job = queries.get_job(self.project, batch)
        try:
            services.cancel_batch(actor=self.access.actor, job=job)
        except Conflict as conflict:
            messages.error(request, conflict.message)
        return redirect(self.address("batches:detail", job.public_id))


class _ChosenView(ProjectView):
    """Ask, then do something with those of the chosen batches that it can be done with."""

    permissions: ClassVar = {"GET": Permission.BATCHES_RUN, "POST": Permission.BATCHES_RUN}
    template: ClassVar[str]
    statuses: ClassVar[tuple[JobStatus, ...]]
    doing: ClassVar[str]

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        asked, running, chosen = self._chosen(request.GET)
        count = running.count()
        context: dict[str, Any] = {
            "asked": asked,
            "count": count,
            "others": chosen.count() - count,
            "named": list(running.order_by("-id")[:5]),
            "back": f"{self.address('batches:list')}{asked.address()}",
        }
        return self.render(self.template, context)

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        asked, running, _ = self._chosen(request.POST)
        jobs = list(running.order_by("id"))
        asked.check_matching(len(jobs))
        done = sum(self._done(job) for job in jobs)
        messages.info(request, f"{self.doing} {done:,} batch{'es' * (done != 1)}.")
        return redirect(f"{self.address('batches:list')}{asked.address()}")

    def act(self, job: BatchJob) -> None:
        """Do it with one batch. Raises Conflict where the batch has moved on."""
        raise NotImplementedError

    def _done(self, job: BatchJob) -> bool:
        try:
            self.act(job)
        except Conflict:
            return False
        return True

    def _chosen(self, data: QueryDict) -> tuple[Asked, QuerySet[BatchJob], QuerySet[BatchJob]]:
        asked = BATCHES.read(data)
        found = queries.list_jobs(self.project, status=asked.filters["status"], search=asked.search)
        chosen = asked.selected(found)
        return asked, chosen.filter(status__in=self.statuses), chosen


class StopChosenView(_ChosenView):
    """Stop the chosen batches."""

    template, statuses, doing = "batches/stop_chosen.html", queries.STOPPABLE_STATUSES, "Stopping"

    def act(self, job: BatchJob) -> None:
        services.cancel_batch(actor=self.access.actor, job=job)


class PauseChosenView(_ChosenView):
    """Pause the chosen batches that run."""

    template, statuses, doing = "batches/pause_chosen.html", (JobStatus.IN_PROGRESS,), "Pausing"

    def act(self, job: BatchJob) -> None:
        services.pause_batch(actor=self.access.actor, job=job)
