"""Stop one batch, or all that were chosen in the list."""

from typing import Any, ClassVar

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect

from apps.batches import queries, services
from apps.batches.models import BatchJob
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


class StopChosenView(ProjectView):
    """Ask, then stop those of the chosen batches that run."""

    permissions: ClassVar = {"GET": Permission.BATCHES_RUN, "POST": Permission.BATCHES_RUN}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        asked, running, chosen = self._chosen(request.GET)
        count = running.count()
        context: dict[str, Any] = {
            "asked": asked,
            "count": count,
            "ended": chosen.count() - count,
            "named": list(running.order_by("-id")[:5]),
            "back": f"{self.address('batches:list')}{asked.address()}",
        }
        return self.render("batches/stop_chosen.html", context)

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        asked, running, _ = self._chosen(request.POST)
        jobs = list(running.order_by("id"))
        asked.check_matching(len(jobs))
        for job in jobs:
            services.cancel_batch(actor=self.access.actor, job=job)
        messages.info(request, f"Stopping {len(jobs):,} batch{'es' * (len(jobs) != 1)}.")
        return redirect(f"{self.address('batches:list')}{asked.address()}")

    def _chosen(self, data: QueryDict) -> tuple[Asked, QuerySet[BatchJob], QuerySet[BatchJob]]:
        asked = BATCHES.read(data)
        found = queries.list_jobs(self.project, status=asked.filters["status"], search=asked.search)
        chosen = asked.selected(found)
        return asked, chosen.filter(status__in=queries.STOPPABLE_STATUSES), chosen
