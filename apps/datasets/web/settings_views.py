"""Pages of a dataset itself: what uses it, rename, archive, delete."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core.errors import Conflict, InvalidRequest
from apps.datasets import queries, services
from apps.datasets.models import Dataset
from apps.datasets.uses import list_uses
from apps.datasets.web.forms import NameForm
from apps.datasets.web.tabs import dataset_tabs
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView


class SettingsView(ProjectView):
    """What uses a dataset, its name, its end."""

    permissions = {"GET": Permission.DATASETS_EDIT, "POST": Permission.DATASETS_EDIT}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        return self._page(dataset, NameForm(initial={"name": dataset.name}))

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        name, form = dataset.name, NameForm(request.POST)
        if form.is_valid():
            try:
                services.rename_dataset(actor=self.access.actor, dataset=dataset, **form.cleaned_data)
            except (Conflict, InvalidRequest) as error:
                form.add_error("name", error.message)
            else:
                messages.info(request, f"The dataset is called {dataset.name} now.")
                return redirect(self.address("datasets:settings", dataset.public_id))
        dataset.name = name
        return self._page(dataset, form, 422)

    def _page(self, dataset: Dataset, form: NameForm, status: int = 200) -> HttpResponse:
        uses = [{"use": use, "href": self.address(use.view, use.public_id)} for use in list_uses(dataset.pk)]
        context: dict[str, Any] = {
            "dataset": dataset,
            "form": form,
            "uses": uses,
            "tabs": dataset_tabs(self, dataset, "settings"),
        }
        return self.render("datasets/settings.html", context, status=status)


class ArchiveView(ProjectView):
    """Archive a dataset, or bring it back."""

    permissions = {"POST": Permission.DATASETS_EDIT}

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        back = dataset.archived_at is not None
        act = services.unarchive_dataset if back else services.archive_dataset
        act(actor=self.access.actor, dataset=dataset)
        words = "is back in the list" if back else "is archived; what uses it goes on"
        messages.info(request, f"{dataset.name} {words}.")
        return redirect(self.address("datasets:settings", dataset.public_id))


class DeleteView(ProjectView):
    """Ask, then delete a dataset that nothing uses."""

    permissions = {"GET": Permission.DATASETS_EDIT, "POST": Permission.DATASETS_EDIT}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        context = {"dataset": dataset, "uses": len(list_uses(dataset.pk, 1))}
        return self.render("datasets/delete.html", context)

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        name = dataset.name
        services.delete_dataset(actor=self.access.actor, dataset=dataset)
        messages.info(request, f"{name} is deleted.")
        return redirect(self.address("datasets:list"))
