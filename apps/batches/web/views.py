"""Pages of batches: list, new, progress, results."""

from typing import Any, ClassVar

from django.contrib import messages
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.shortcuts import redirect

from apps.batches import downloads, queries, services
from apps.batches.models import BatchJob, ItemStatus
from apps.batches.planning import Plan, plan_batch
from apps.batches.queries import ResultFilters
from apps.batches.results import selecting
from apps.batches.web import presenting
from apps.batches.web.forms import NewBatchForm, choices_of, initial_values
from apps.batches.web.listing import BATCHES
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.numbers import whole_number
from apps.core.tables import Action
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

STOP_POLLING = 286
ROW_STATUSES = [("", "All rows"), *ItemStatus.choices]
MATCHES = [("", "Any match"), ("match", "Match"), ("differs", "Differs from expected")]


class BatchListView(ProjectView):
    """The project's batches."""

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponseBase:
        asked = BATCHES.read(request.GET)
        found = queries.list_jobs(self.project, status=asked.filters["status"], search=asked.search)
        can_run = self.access.can(Permission.BATCHES_RUN)
        actions = [Action("Stop", "stop", self.address("batches:stop-chosen"), danger=True)]
        context = {"can_run": can_run, "actions": actions if can_run else []}
        return self.list_page(BATCHES, asked, found, "batches/list.html", context)


class NewBatchView(ProjectView):
    """The form; "Check" shows the estimate, "Start" starts."""

    permissions: ClassVar = {"GET": Permission.BATCHES_RUN, "POST": Permission.BATCHES_RUN}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        initial = initial_values(self.project, request.GET.dict())
        form = NewBatchForm(choices=choices_of(self.project, initial["dataset"]), initial=initial)
        return self._page(form)

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        choices = choices_of(self.project, request.POST.get("dataset", ""))
        form = NewBatchForm(request.POST, choices=choices)
        if not form.is_valid():
            return self._page(form, status=422)
        try:
            if request.POST.get("action") == "check":
                return self._page(form, plan=plan_of(self, form))
            return self._start(form)
        except (InvalidRequest, NotFound) as error:
            form.add_error(error.param if error.param in form.fields else None, error.message)
            return self._page(form, status=422)

    def _start(self, form: NewBatchForm) -> HttpResponse:
        job = services.start_batch(
            actor=self.access.actor,
            project=self.project,
            prompt=form.prompt_reference(),
            dataset_version=form.dataset_version(self.project),
            options=form.options(),
        )
        return redirect(self.address("batches:detail", job.public_id))

    def _page(self, form: NewBatchForm, *, plan: Plan | None = None, status: int = 200) -> HttpResponse:
        context = {"form": form, "plan": plan, "offered": _offered(form)}
        return self.render("batches/new.html", context, status=status)


class EstimateView(ProjectView):
    """The estimate alone, for a form that is being filled in."""

    permissions: ClassVar = {"POST": Permission.BATCHES_RUN}

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        choices = choices_of(self.project, request.POST.get("dataset", ""))
        form = NewBatchForm(request.POST, choices=choices)
        context: dict[str, Any] = {"plan": None, "problem": ""}
        if form.is_valid():
            try:
                context["plan"] = plan_of(self, form)
            except (InvalidRequest, NotFound) as error:
                context["problem"] = error.message
        return self.render("batches/new.html#estimate", context)


class BatchView(ProjectView):
    """Progress of one batch."""

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW}

    def get(self, request: HttpRequest, batch: str, **kwargs: str) -> HttpResponse:
        job = queries.get_job(self.project, batch)
        return self.render("batches/detail.html", progress_context(self, job))


class ProgressView(ProjectView):
    """What moves on the progress page; 286 ends the polling.

    Badge and buttons come along only when the status is no longer `?was=`: an open menu must not close.
    """

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW}

    def get(self, request: HttpRequest, batch: str, **kwargs: str) -> HttpResponse:
        job = queries.get_job(self.project, batch)
        moved_on = request.GET.get("was") != job.status
        context = {**progress_context(self, job), "polled": True, "fragment": moved_on}
        status = STOP_POLLING if job.is_terminal else 200
        return self.render("batches/detail.html#live", context, status=status)


class ResultsView(ProjectView):
    """The rows with what came out."""

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW}

    def get(self, request: HttpRequest, batch: str, **kwargs: str) -> HttpResponse:
        job = queries.get_job(self.project, batch)
        filters = ResultFilters(
            status=_one_of(request, "status", ROW_STATUSES),
            match=_one_of(request, "match", MATCHES),
            search=request.GET.get("q", "").strip()[:200],
            code=request.GET.get("code", "")[:64],
        )
        page = queries.result_page(
            job, filters, after=_number(request, "after"), before=_number(request, "before")
        )
        columns = presenting.leading_columns(job, queries.input_columns(job))
        context = {
            **head_context(self, job),
            "filters": filters,
            "filtered": filters != queries.NO_FILTERS,
            "rows": presenting.shown_rows(job, page.rows, columns),
            "columns": columns,
            "opened": _number(request, "open"),
            "newer": _page_link(request, "before", page.before),
            "older": _page_link(request, "after", page.after),
            "query": _query(request),
            "row_statuses": ROW_STATUSES,
            "matches": MATCHES,
        }
        return self.render("batches/results.html", context)


class DownloadView(ProjectView):
    """The results as a file."""

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW}

    def get(self, request: HttpRequest, batch: str, **kwargs: str) -> HttpResponseBase:
        job = queries.get_job(self.project, batch)
        filters = selecting.ResultFilters(status=_one_of(request, "status", ROW_STATUSES))
        return downloads.download(job, request.GET.get("format", "csv"), filters, method=request.method)


class RetryView(ProjectView):
    """Run what failed or was stopped once more."""

    permissions: ClassVar = {"POST": Permission.BATCHES_RUN}

    def post(self, request: HttpRequest, batch: str, **kwargs: str) -> HttpResponseRedirect:
        job = queries.get_job(self.project, batch)
        try:
            rows = services.retry_failed(actor=self.access.actor, job=job)
            messages.info(request, f"{rows:,} row{'s' * (rows != 1)} will be run once more.")
        except (Conflict, InvalidRequest) as problem:
            messages.error(request, problem.message)
        return redirect(self.address("batches:detail", job.public_id))


def plan_of(view: ProjectView, form: NewBatchForm) -> Plan:
    """What the filled-in form would do. Raises InvalidRequest, NotFound."""
    options = form.options()
    return plan_batch(
        project=view.project,
        prompt=form.prompt_reference(),
        dataset_version=form.dataset_version(view.project),
        model=options.model,
        row_limit=options.row_limit,
    )


def head_context(view: ProjectView, job: BatchJob) -> dict[str, Any]:
    """What both pages of a batch show on top."""
    names = ("detail", "results", "download", "stop", "retry", "progress")
    at_results = view.request.path == view.address("batches:results", job.public_id)
    results = {
        "href": view.address("batches:results", job.public_id),
        "label": "Results",
        "count": job.succeeded + job.failed,
        "current": at_results,
    }
    progress = {
        "href": view.address("batches:detail", job.public_id),
        "label": "Progress",
        "current": not at_results,
    }
    return {
        "job": job,
        "dataset": job.dataset_version.dataset,
        "addresses": {name: view.address(f"batches:{name}", job.public_id) for name in names},
        "tab_items": [progress, results],
        "can_run": view.access.can(Permission.BATCHES_RUN),
        "retryable": job.failed + job.cancelled if job.is_terminal else 0,
    }


def progress_context(view: ProjectView, job: BatchJob) -> dict[str, Any]:
    """Everything that the progress page shows."""
    standing = queries.progress(job)
    columns = presenting.leading_columns(job, queries.input_columns(job))
    return {
        **head_context(view, job),
        "standing": standing,
        "time_left": presenting.time_left(standing),
        "failures": presenting.shown_failures(queries.failures(job)),
        "latest": presenting.shown_rows(job, queries.latest_results(job), columns),
        "columns": columns,
        "cost_status": presenting.cost_status(job),
        "expected_cost": presenting.expected_cost(job),
        "agreement": job.matched / job.compared if job.compared else None,
        "interval": presenting.interval(job),
    }


def _offered(form: NewBatchForm) -> dict[str, bool]:
    return {name: bool(getattr(form.fields[name], "choices", ())) for name in ("prompt", "dataset")}


def _one_of(request: HttpRequest, name: str, choices: list[tuple[str, str]]) -> str:
    value = request.GET.get(name, "")
    return value if value in {choice for choice, _ in choices} else ""


def _number(request: HttpRequest, name: str) -> int:
    return whole_number(request.GET.get(name, "")) or 0


def _page_link(request: HttpRequest, name: str, number: int | None) -> str:
    if number is None:
        return ""
    return f"?{_query(request)}{name}={number}"


def _query(request: HttpRequest) -> str:
    """The filters of the address, to stand before one more parameter."""
    kept = request.GET.copy()
    for name in ("after", "before", "open"):
        kept.pop(name, None)
    return f"{kept.urlencode()}&" if kept else ""
