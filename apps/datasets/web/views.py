"""Pages that bring datasets in: list, upload, paste, empty, mapping."""

from typing import Any

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect

from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.datasets import downloads, queries, services
from apps.datasets.models import DatasetImport, DatasetVersion, Origin
from apps.datasets.web.forms import EmptyForm, FormatForm, MappingForm, PasteForm, UploadForm
from apps.datasets.web.importing import asks_for_progress, may_be_mapped, progress_page, recognised
from apps.datasets.web.listing import DATASETS
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView


class DatasetListView(ProjectView):
    """The project's datasets."""

    permissions = {"GET": Permission.DATASETS_VIEW}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponseBase:
        asked = DATASETS.read(request.GET)
        archived = asked.filters["state"] == "archived"
        found = queries.list_datasets(self.project, asked.search, archived=archived)
        context = {"can_edit": self.access.can(Permission.DATASETS_EDIT)}
        return self.list_page(DATASETS, asked, found, "datasets/list.html", context)


class UploadView(ProjectView):
    """Choose a file, paste a table, or begin with an empty dataset."""

    permissions = {"GET": Permission.DATASETS_EDIT, "POST": Permission.DATASETS_EDIT}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        return self._page()

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        """Each of the page's forms names itself by its button."""
        way = request.POST.get("way", "upload")
        if way == "empty":
            return self._empty(request)
        return self._paste(request) if way == "paste" else self._upload(request)

    def _upload(self, request: HttpRequest) -> HttpResponse:
        form = UploadForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._page(form=form)
        uploaded: UploadedFile[Any] = form.cleaned_data["file"]
        try:
            dataset_import = services.upload_file(
                actor=self.access.actor,
                project=self.project,
                name=uploaded.name or "file",
                chunks=uploaded.chunks(),
            )
        except InvalidRequest as error:
            form.add_error("file", error.message)
            return self._page(form=form)
        return redirect(self.address("datasets:mapping", dataset_import.public_id))

    def _paste(self, request: HttpRequest) -> HttpResponse:
        form = PasteForm(request.POST)
        if not form.is_valid():
            return self._page(paste=form)
        try:
            dataset_import = services.upload_file(
                actor=self.access.actor,
                project=self.project,
                name="Pasted table",
                chunks=[form.cleaned_data["table"].encode()],
            )
        except InvalidRequest as error:
            form.add_error("table", error.message)
            return self._page(paste=form)
        return redirect(self.address("datasets:mapping", dataset_import.public_id))

    def _empty(self, request: HttpRequest) -> HttpResponse:
        form = EmptyForm(request.POST)
        if not form.is_valid():
            return self._page(empty=form)
        try:
            version = services.create_dataset(
                actor=self.access.actor,
                project=self.project,
                name=form.cleaned_data["name"],
                columns=form.columns(),
            )
        except (Conflict, InvalidRequest) as error:
            form.add_error("name" if error.param == "name" else "variables", error.message)
            return self._page(empty=form)
        return redirect(self.address("datasets:detail", version.dataset.public_id))

    def _page(self, **forms: Any) -> HttpResponse:
        context = {"form": UploadForm(), "paste": PasteForm(), "empty": EmptyForm()} | forms
        return self.render("datasets/upload.html", context, status=422 if forms else 200)


class MappingView(ProjectView):
    """What was recognised of a file, and what its columns become."""

    permissions = {"GET": Permission.DATASETS_EDIT, "POST": Permission.DATASETS_EDIT}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset_import = queries.get_import(self.project, kwargs["dataset_import"])
        if asks_for_progress(self, dataset_import):
            return progress_page(self, dataset_import, room=(self.address("datasets:list"), "Datasets"))
        if dataset_import.version is not None:
            return self._imported(dataset_import.version)
        name = dataset_import.file_name.rpartition(".")[0] or dataset_import.file_name
        wanted = dataset_import.dataset_name or name[:120]
        mapping = queries.import_mapping(dataset_import)
        return self._page(dataset_import, MappingForm(mapping=mapping, initial={"dataset": wanted}))

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset_import = queries.get_import(self.project, kwargs["dataset_import"])
        form = MappingForm(request.POST, mapping=queries.import_mapping(dataset_import))
        if not form.is_valid():
            return self._page(dataset_import, form, status=422)
        try:
            started = services.start_import(
                actor=self.access.actor,
                dataset_import=dataset_import,
                dataset_name=form.cleaned_data["dataset"],
                mapping=form.mapping(),
            )
        except (Conflict, InvalidRequest, NotFound) as error:
            form.add_error(None, error.message)
            return self._page(dataset_import, form, status=error.status if error.status == 409 else 422)
        if started.version is None:
            return redirect(self.address("datasets:mapping", started.public_id))
        messages.info(request, f"Version {started.version.number} holds {started.version.row_count:,} rows.")
        return self._imported(started.version)

    def _imported(self, version: DatasetVersion) -> HttpResponse:
        if version.dataset.origin != Origin.LIBRARY:
            return redirect(f"{self.address('batches:new')}?dataset={version.public_id}")
        return redirect(self.address("datasets:detail", version.dataset.public_id))

    def _page(self, dataset_import: DatasetImport, form: MappingForm, status: int = 200) -> HttpResponse:
        address = self.address("datasets:format", dataset_import.public_id)
        context = recognised(dataset_import, address)
        context["form"] = form if may_be_mapped(dataset_import) else None
        return self.render("datasets/mapping.html", context, status=status)


class FormatView(ProjectView):
    """Overrule what was recognised."""

    permissions = {"POST": Permission.DATASETS_EDIT}

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset_import = queries.get_import(self.project, kwargs["dataset_import"])
        form = FormatForm(request.POST)
        address = self.address("datasets:mapping", dataset_import.public_id)
        if not form.is_valid():
            raise InvalidRequest("Choose a delimiter and an encoding of the list.", param="delimiter")
        try:
            services.choose_format(
                actor=self.access.actor, dataset_import=dataset_import, **form.cleaned_data
            )
        except (Conflict, InvalidRequest) as error:
            messages.error(request, error.message)
        return redirect(address)


class ProblemsView(ProjectView):
    """The rows that could not be used, as CSV."""

    permissions = {"GET": Permission.DATASETS_VIEW}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        return downloads.download_problems(queries.get_version(self.project, kwargs["version"]))
