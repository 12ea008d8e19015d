"""Runs into a dataset: one from its page, or those chosen in the list."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core.errors import Conflict, InvalidRequest
from apps.core.tables import Asked
from apps.datasets import queries as dataset_queries
from apps.datasets import services as dataset_services
from apps.datasets.models import DatasetVersion
from apps.runs import queries
from apps.runs.dataset_rows import rows_of
from apps.runs.models import Run
from apps.runs.web.forms import AddToDatasetForm
from apps.runs.web.listing import RUNS, filters_of
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

MOST_RUNS: Final = 1000
MOST_DATASETS: Final = 200


class AddView(ProjectView, abstract=True):
    """Ask which dataset, then add a row for each run."""

    def ask(self, runs: Sequence[Run], form: AddToDatasetForm, back: str, **context: Any) -> HttpResponse:
        """The page that asks; 422 where an answer was refused."""
        shown = {"form": form, "count": len(runs), "runs": runs[:5], "back": back, **context}
        return self.render("runs/add_to_dataset.html", shown, status=422 if form.errors else 200)

    def form(self, data: Any = None) -> AddToDatasetForm:
        """The form with the project's datasets, newest first."""
        datasets = list(dataset_queries.list_datasets(self.project).order_by("-pk")[:MOST_DATASETS])
        return AddToDatasetForm(data, datasets=datasets)

    def add(self, runs: Sequence[Run], form: AddToDatasetForm) -> HttpResponse | None:
        """Add the rows and go to the dataset; None where the form says why not."""
        if not form.is_valid():
            return None
        found = rows_of(runs, form.cleaned_data["expected"])
        try:
            version = self._added(found.rows, form.cleaned_data)
        except (InvalidRequest, Conflict) as refusal:
            form.add_error("name" if refusal.code == "name_taken" else None, refusal.message)
            return None
        messages.success(self.request, _words(len(found.rows), found.without_content))
        return redirect(self.address("datasets:detail", version.dataset.public_id))

    def _added(self, rows: list[Any], values: dict[str, Any]) -> DatasetVersion:
        if not rows:
            raise InvalidRequest("None of these runs has its content any more.", code="run_content_deleted")
        actor = self.access.actor
        if values["dataset"]:
            dataset = dataset_queries.get_dataset(self.project, values["dataset"])
            return dataset_services.append_rows(actor=actor, dataset=dataset, rows=rows, note="From runs")
        name = values["name"].strip()
        if dataset_queries.list_datasets(self.project).filter(name=name).exists():
            raise Conflict(
                "There is a dataset of this name; choose it above.", code="name_taken", param="name"
            )
        return dataset_services.create_version(
            actor=actor, project=self.project, dataset_name=name, rows=rows, note="From runs"
        )


class AddRunView(AddView):
    """One run into a dataset."""

    permissions: ClassVar = {"GET": Permission.DATASETS_EDIT, "POST": Permission.DATASETS_EDIT}

    def get(self, request: HttpRequest, *, run: str, **_: str) -> HttpResponse:
        return self._ask(self._run(run), self.form())

    def post(self, request: HttpRequest, *, run: str, **_: str) -> HttpResponse:
        found, form = self._run(run), self.form(request.POST)
        return self.add([found], form) or self._ask(found, form)

    def _ask(self, run: Run, form: AddToDatasetForm) -> HttpResponse:
        return self.ask([run], form, self.address("runs:detail", run.public_id))

    def _run(self, public_id: str) -> Run:
        # Reading a run's content takes the right to see runs, whatever else is held.
        self.access.require(Permission.RUNS_VIEW)
        return queries.get_run(self.project.id, public_id)


class AddChosenView(AddView):
    """The runs chosen in the list into a dataset."""

    permissions: ClassVar = {"GET": Permission.DATASETS_EDIT, "POST": Permission.DATASETS_EDIT}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        asked, runs = self._chosen(request.GET)
        return self._ask(asked, runs, self.form())

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        asked, runs = self._chosen(request.POST)
        asked.check_matching(len(runs))
        form = self.form(request.POST)
        return self.add(runs, form) or self._ask(asked, runs, form)

    def _ask(self, asked: Asked, runs: list[Run], form: AddToDatasetForm) -> HttpResponse:
        return self.ask(runs, form, f"{self.address('runs:list')}{asked.address()}", asked=asked)

    def _chosen(self, data: Any) -> tuple[Asked, list[Run]]:
        self.access.require(Permission.RUNS_VIEW)
        known = {name: [(data[name], data[name])] for name in ("prompt", "model") if data.get(name)}
        asked = RUNS.read(data, choices=known)
        found = asked.selected(queries.list_runs(self.project.id, filters_of(asked)))
        runs = list(found.order_by("pk")[: MOST_RUNS + 1])
        if len(runs) > MOST_RUNS:
            raise InvalidRequest(f"Choose at most {MOST_RUNS:,} runs at a time.", param="id")
        return asked, runs


def _words(added: int, without_content: int) -> str:
    words = f"Added {added:,} row{'s' * (added != 1)}."
    if without_content:
        words += f" {without_content:,} of the runs had no content any more."
    return words
