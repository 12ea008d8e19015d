"""Pages of batches: list, new, progress, results."""

from typing import Any, ClassVar
from urllib.parse import urlencode

from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
)
from django.shortcuts import redirect

from apps.batches import queries, services
from apps.batches.models import BatchJob, Source
from apps.batches.paces import pace_of
from apps.batches.planning import Plan, plan_batch
from apps.batches.provider_batches.queries import at_provider
from apps.batches.results import failures, pages
from apps.batches.results.formats import formats_of
from apps.batches.web import presenting
from apps.batches.web.deliveries import delivery_words
from apps.batches.web.forms import NewBatchForm, choices_of, initial_values
from apps.batches.web.listing import BATCHES
from apps.batches.web.source_tabs import source_tabs
from apps.batches.web.standing import cost_by_now, estimate_words, expected_by_sample, jobs_ahead
from apps.core.errors import InvalidRequest, NotFound
from apps.core.tables import Action
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

STOP_POLLING = 286


class BatchListView(ProjectView):
    """The project's batches."""

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponseBase:
        asked = BATCHES.read(request.GET)
        found = queries.list_jobs(self.project, status=asked.filters["status"], search=asked.search)
        can_run = self.access.can(Permission.BATCHES_RUN)
        actions = [
            Action("Pause", "pause", self.address("batches:pause-chosen")),
            Action("Stop", "stop", self.address("batches:stop-chosen"), danger=True),
        ]
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
        tabs = source_tabs(self, "dataset", _prompt_of(self.request))
        context = {"form": form, "plan": plan, "offered": _offered(form), "tabs": tabs}
        context["open"] = form.opened()
        if plan is not None:
            context |= estimate_words(plan, form.options())
            context |= delivery_words(self.project.id, plan, form.options())
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
                context["plan"] = plan = plan_of(self, form)
                context |= estimate_words(plan, form.options())
                context |= delivery_words(self.project.id, plan, form.options())
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


def plan_of(view: ProjectView, form: NewBatchForm) -> Plan:
    """What the filled-in form would do. Raises InvalidRequest, NotFound."""
    options = form.options()
    return plan_batch(
        project=view.project,
        prompt=form.prompt_reference(),
        dataset_version=form.dataset_version(view.project),
        model=options.model,
        row_limit=options.row_limit,
        variants=options.variants,
        work=options.work,
    )


def head_context(view: ProjectView, job: BatchJob) -> dict[str, Any]:
    """What all pages of a batch show on top."""
    names = (
        *("detail", "results", "failures", "compare", "mark", "download", "progress"),
        *("stop", "retry", "pause", "resume", "control"),
        *("keep-rows", "rows-file"),
    )
    origin, reruns = queries.relatives(job)
    addresses = {name.replace("-", "_"): view.address(f"batches:{name}", job.public_id) for name in names}
    tabs = [
        ("detail", "Progress", None),
        ("results", "Results", job.succeeded + job.failed),
        *([("failures", "Failures", job.failed)] if job.failed else []),
        ("compare", "Compare", None),
        ("control", "Control", None),
    ]
    # What is polled belongs to the page of the progress.
    here = "detail" if view.request.path == addresses["progress"] else ""
    return {
        "job": job,
        "dataset": job.dataset_version.dataset,
        "addresses": addresses,
        "tab_items": [
            {
                "href": addresses[name],
                "label": label,
                "count": count,
                "current": name == here or view.request.path == addresses[name],
            }
            for name, label, count in tabs
        ],
        "formats": [(name, each.words) for name, each in formats_of(job).items()],
        "origin": origin,
        "reruns": reruns,
        "stoppable": job.status in queries.STOPPABLE_STATUSES,
        "can_run": view.access.can(Permission.BATCHES_RUN),
        "can_keep": job.total > 0 and not job.continuous and view.access.can(Permission.DATASETS_EDIT),
        "retryable": job.failed + job.cancelled if job.is_terminal and job.source != Source.FILE else 0,
    }


def progress_context(view: ProjectView, job: BatchJob) -> dict[str, Any]:
    """Everything that the progress page shows."""
    standing = queries.progress(job)
    columns = presenting.leading_columns(job, pages.input_columns(job))
    return {
        **head_context(view, job),
        "standing": standing,
        "pace": pace_of(job),
        "provider": at_provider(job),
        "ahead": jobs_ahead(job),
        "sample": expected_by_sample(job),
        "taken": queries.taken_rows(job),
        "cost_by_now": cost_by_now(job),
        "time_left": presenting.time_left(standing),
        "failures": presenting.shown_failures(job, failures.failures(job)),
        "latest": presenting.shown_rows(job, pages.latest_results(job), columns),
        "columns": columns,
        "cost_status": presenting.cost_status(job),
        "expected_cost": presenting.expected_cost(job),
        "agreement": job.matched / job.compared if job.compared else None,
        "interval": presenting.interval(job),
    }


def _prompt_of(request: HttpRequest) -> str:
    """The prompt that the address names, to go along to another source of rows."""
    asked = {name: request.GET[name] for name in ("prompt", "version") if name in request.GET}
    return f"?{urlencode(asked)}" if asked else ""


def _offered(form: NewBatchForm) -> dict[str, bool]:
    return {name: bool(getattr(form.fields[name], "choices", ())) for name in ("prompt", "dataset")}
