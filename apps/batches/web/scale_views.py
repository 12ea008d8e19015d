"""Pages of scale tests: list, new, figures."""

from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect

from apps.batches import scale_queries
from apps.batches.models import CostStatus, StopReason
from apps.batches.planning import Plan
from apps.batches.scale_models import ScaleTest, ScaleTestStep
from apps.batches.services.scale_tests import cancel_scale_test, plan_scale_test, start_scale_test
from apps.batches.web.forms import choices_of, initial_values
from apps.batches.web.scale_charts import charts_of
from apps.batches.web.scale_forms import ScaleTestForm
from apps.batches.web.scale_listing import SCALE_TESTS
from apps.core.errors import Conflict, InvalidRequest, NotFound, QuotaExceeded
from apps.core.ids import encode
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

STOP_POLLING = 286


class ScaleTestListView(ProjectView):
    """The project's scale tests."""

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponseBase:
        asked = SCALE_TESTS.read(request.GET)
        found = scale_queries.list_scale_tests(
            self.project, status=asked.filters["status"], search=asked.search
        )
        context = {"can_run": self.access.can(Permission.BATCHES_RUN)}
        return self.list_page(SCALE_TESTS, asked, found, "batches/scale_tests.html", context)


class NewScaleTestView(ProjectView):
    """The form; "Check" shows the estimate, "Start" starts."""

    permissions: ClassVar = {"GET": Permission.BATCHES_RUN, "POST": Permission.BATCHES_RUN}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        initial = initial_values(self.project, request.GET.dict())
        choices = choices_of(self.project, initial["dataset"])
        return self._page(ScaleTestForm(choices=choices, initial=initial))

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        form = _form_of(self)
        if not form.is_valid():
            return self._page(form, status=422)
        try:
            if request.POST.get("action") == "check":
                return self._page(form, plan=_plan_of(self, form))
            test = start_scale_test(
                actor=self.access.actor,
                project=self.project,
                prompt=form.prompt_reference(),
                dataset_version=form.dataset_version(self.project),
                options=form.options(),
            )
        except (InvalidRequest, NotFound, Conflict, QuotaExceeded) as error:
            form.add_error(error.param if error.param in form.fields else None, error.message)
            return self._page(form, status=422)
        return redirect(self.address("batches:scale-test", test.public_id))

    def _page(self, form: ScaleTestForm, *, plan: Plan | None = None, status: int = 200) -> HttpResponse:
        offered = {name: bool(getattr(form.fields[name], "choices", ())) for name in ("prompt", "dataset")}
        left = scale_queries.runs_left(self.project, plan) if plan else None
        context = {"form": form, "plan": plan, "offered": offered, "left": left}
        return self.render("batches/scale_new.html", context, status=status)


class ScaleTestEstimateView(ProjectView):
    """The estimate alone, for a form that is being filled in."""

    permissions: ClassVar = {"POST": Permission.BATCHES_RUN}

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        form = _form_of(self)
        context: dict[str, Any] = {"plan": None, "problem": ""}
        if form.is_valid():
            try:
                plan = _plan_of(self, form)
                context |= {"plan": plan, "left": scale_queries.runs_left(self.project, plan)}
            except (InvalidRequest, NotFound, Conflict) as error:
                context["problem"] = error.message
        return self.render("batches/scale_new.html#estimate", context)


class ScaleTestView(ProjectView):
    """What the steps showed so far; `?export=csv` is one chart's table, `?live` the part that moves."""

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW}

    def get(self, request: HttpRequest, scale_test: str, **kwargs: str) -> HttpResponse:
        test = scale_queries.get_scale_test(self.project, scale_test)
        steps = list(test.steps.all())
        charts = charts_of(test, steps)
        wanted = request.GET.get("export", "")
        if wanted in charts:
            return HttpResponse(
                charts[wanted].figures.csv(),
                content_type="text/csv; charset=utf-8",
                headers={"Content-Disposition": f'attachment; filename="{test.public_id}-{wanted}.csv"'},
            )
        context = {
            "test": test,
            "steps": [self._step(step) for step in steps],
            "charts": charts,
            "can_run": self.access.can(Permission.BATCHES_RUN),
            "cost_status": _cost_status(test, steps),
            "cost_used": sum(step.cost_used for step in steps),
            "reason": _reason(test),
        }
        if "live" not in request.GET:
            return self.render("batches/scale_test.html", context)
        status = STOP_POLLING if test.is_terminal else 200
        return self.render("batches/scale_test.html#live", {**context, "polled": True}, status=status)

    def _step(self, step: ScaleTestStep) -> dict[str, Any]:
        batch = encode("bat", step.batch_id) if step.batch_id else ""
        cost = CostStatus.UNKNOWN if step.cost_unknown else _status_of(step.scale_test)
        return {
            "step": step,
            "address": self.address("batches:detail", batch) if batch else "",
            "cost_status": cost,
        }


class StopScaleTestView(ProjectView):
    """Stop a scale test and its batch."""

    permissions: ClassVar = {"POST": Permission.BATCHES_RUN}

    def post(self, request: HttpRequest, scale_test: str, **kwargs: str) -> HttpResponseRedirect:
        test = scale_queries.get_scale_test(self.project, scale_test)
        try:
            cancel_scale_test(actor=self.access.actor, scale_test=test)
        except Conflict as conflict:
            messages.error(request, conflict.message)
        return redirect(self.address("batches:scale-test", test.public_id))


def _form_of(view: ProjectView) -> ScaleTestForm:
    data = view.request.POST
    return ScaleTestForm(data, choices=choices_of(view.project, data.get("dataset", "")))


def _plan_of(view: ProjectView, form: ScaleTestForm) -> Plan:
    """What the filled-in form would do. Raises InvalidRequest, NotFound, Conflict."""
    return plan_scale_test(
        project=view.project,
        prompt=form.prompt_reference(),
        dataset_version=form.dataset_version(view.project),
        options=form.options(),
    )


def _status_of(test: ScaleTest) -> str:
    return CostStatus.SANDBOX if test.sandbox else str(test.estimate.get("cost_status", CostStatus.PRICED))


def _cost_status(test: ScaleTest, steps: list[ScaleTestStep]) -> str:
    return CostStatus.UNKNOWN if any(step.cost_unknown for step in steps) else _status_of(test)


def _reason(test: ScaleTest) -> str:
    return dict(StopReason.choices).get(test.stop_reason, "") if test.stop_reason else ""
