"""Pages that take rows for a batch, from an upload, earlier runs or another batch, and that keep them."""

from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect

from apps.batches import queries, services
from apps.batches.models import BatchJob
from apps.batches.preparation_models import PreparationState, RowPreparation
from apps.batches.row_sources import RowSource
from apps.batches.web.source_forms import BatchRowsForm, KeepRowsForm, RunRowsForm
from apps.batches.web.source_tabs import source_tabs
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.models import find
from apps.datasets import downloads
from apps.datasets import queries as dataset_queries
from apps.datasets import services as dataset_services
from apps.datasets.models import DatasetImport, DatasetVersion, Origin
from apps.datasets.web.forms import ColumnsForm, FormatForm, UploadForm
from apps.datasets.web.importing import asks_for_progress, may_be_mapped, progress_page, recognised
from apps.prompts import queries as prompt_queries
from apps.prompts.models import Prompt
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

RUN = Permission.BATCHES_RUN


class _SourceView(ProjectView, abstract=True):
    """What the pages share: the tabs, and the prompt that the batch is for, which every address names."""

    def kept(self) -> str:
        """The part of the address that goes along to the next page."""
        asked = {name: self.request.GET[name] for name in ("prompt", "version") if name in self.request.GET}
        return f"?{urlencode(asked)}" if asked else ""

    def to_new(self, version: DatasetVersion) -> HttpResponse:
        """On to the new batch with these rows chosen."""
        joined = self.kept()
        start = f"{joined}&" if joined else "?"
        return redirect(f"{self.address('batches:new')}{start}dataset={version.public_id}")

    def source_page(self, current: str, template: str, context: dict[str, Any], status: int) -> HttpResponse:
        """A page under the tabs of sources."""
        tabs = source_tabs(self, current, self.kept())
        return self.render(template, {"tabs": tabs, **context}, status=status)


class UploadRowsView(_SourceView):
    """Choose a file whose rows are for one batch."""

    permissions: ClassVar = {"GET": RUN, "POST": RUN}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        return self._page(UploadForm())

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        form = UploadForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._page(form, 422)
        uploaded: UploadedFile[Any] = form.cleaned_data["file"]
        try:
            upload = dataset_services.upload_file(
                actor=self.access.actor,
                project=self.project,
                name=uploaded.name or "file",
                chunks=uploaded.chunks(),
                variables=self._variables(),
            )
        except InvalidRequest as error:
            form.add_error("file", error.message)
            return self._page(form, 422)
        return redirect(self.address("batches:map-rows", upload.public_id) + self.kept())

    def _variables(self) -> list[str]:
        """What the chosen prompt reads, for the proposed mapping."""
        prompt = find(Prompt.objects.filter(project=self.project), self.request.GET.get("prompt", ""))
        if prompt is None:
            return []
        return [variable["name"] for variable in prompt_queries.latest_version(prompt).variables]

    def _page(self, form: UploadForm, status: int = 200) -> HttpResponse:
        return self.source_page("upload", "batches/upload_rows.html", {"form": form}, status)


class MapRowsView(_SourceView):
    """What was recognised of the file, and what its columns become."""

    permissions: ClassVar = {"GET": RUN, "POST": RUN}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        upload = dataset_queries.get_import(self.project, kwargs["dataset_import"])
        if asks_for_progress(self, upload):
            return progress_page(self, upload, room=(self.address("batches:list"), "Batches"))
        if upload.version is not None:
            return self.to_new(upload.version)
        return self._page(upload, ColumnsForm(mapping=dataset_queries.import_mapping(upload)))

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        upload = dataset_queries.get_import(self.project, kwargs["dataset_import"])
        form = ColumnsForm(request.POST, mapping=dataset_queries.import_mapping(upload))
        if not form.is_valid():
            return self._page(upload, form, 422)
        try:
            started = dataset_services.start_import(
                actor=self.access.actor, dataset_import=upload, mapping=form.mapping()
            )
        except (Conflict, InvalidRequest, NotFound) as error:
            form.add_error(None, error.message)
            return self._page(upload, form, 409 if error.status == 409 else 422)
        if started.version is None:
            return redirect(self.address("batches:map-rows", upload.public_id) + self.kept())
        return self.to_new(started.version)

    def _page(self, upload: DatasetImport, form: ColumnsForm, status: int = 200) -> HttpResponse:
        address = self.address("batches:format-rows", upload.public_id) + self.kept()
        context = recognised(upload, address)
        context["form"] = form if may_be_mapped(upload) else None
        return self.source_page("upload", "batches/map_rows.html", context, status)


class FormatRowsView(_SourceView):
    """Overrule what was recognised of the file."""

    permissions: ClassVar = {"POST": RUN}

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        upload = dataset_queries.get_import(self.project, kwargs["dataset_import"])
        form = FormatForm(request.POST)
        if not form.is_valid():
            raise InvalidRequest("Choose a delimiter and an encoding of the list.", param="delimiter")
        try:
            dataset_services.choose_format(
                actor=self.access.actor, dataset_import=upload, **form.cleaned_data
            )
        except (Conflict, InvalidRequest) as error:
            messages.error(request, error.message)
        return redirect(self.address("batches:map-rows", upload.public_id) + self.kept())


class _ChosenRowsView(_SourceView, abstract=True):
    """A form that says which rows, and what takes them."""

    current: ClassVar[str]
    template: ClassVar[str]

    def take(self, form: RunRowsForm | BatchRowsForm) -> HttpResponse:
        """Take the rows, or show the form with the reason why not."""
        if not form.is_valid():
            return self.source_page(self.current, self.template, {"form": form}, 422)
        source: RowSource = form.source_of_rows()
        try:
            taken = services.prepare_rows(actor=self.access.actor, project=self.project, source=source)
        except (Conflict, InvalidRequest, NotFound) as error:
            name = (error.param or "").rpartition(".")[2]
            form.add_error(name if name in form.fields else None, error.message)
            return self.source_page(self.current, self.template, {"form": form}, 422)
        return redirect(self.address("batches:prepared", taken.public_id) + self.kept())


class RunRowsView(_ChosenRowsView):
    """Earlier runs as rows."""

    permissions: ClassVar = {"GET": RUN, "POST": RUN}
    current, template = "runs", "batches/run_rows.html"

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        self.access.require(Permission.RUNS_VIEW)
        form = RunRowsForm(project=self.project, initial={"prompt": request.GET.get("prompt", "")})
        return self.source_page(self.current, self.template, {"form": form}, 200)

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        # Rows hold what runs were given and answered.
        self.access.require(Permission.RUNS_VIEW)
        return self.take(RunRowsForm(request.POST, project=self.project))


class BatchRowsView(_ChosenRowsView):
    """Rows of another batch."""

    permissions: ClassVar = {"GET": RUN, "POST": RUN}
    current, template = "batch", "batches/batch_rows.html"

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        self.access.require(Permission.BATCHES_VIEW)
        form = BatchRowsForm(project=self.project, initial={"batch": request.GET.get("batch", "")})
        return self.source_page(self.current, self.template, {"form": form}, 200)

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        self.access.require(Permission.BATCHES_VIEW)
        return self.take(BatchRowsForm(request.POST, project=self.project))


class PreparedView(_SourceView):
    """How far rows are that are taken; then on to the new batch. `?part=progress` is what moves."""

    permissions: ClassVar = {"GET": RUN}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        taken = queries.get_preparation(self.project, kwargs["preparation"])
        part = request.GET.get("part") == "progress"
        if taken.state == PreparationState.READY and not part:
            self._tell(taken)
            return self.to_new(taken.dataset_version)
        if part and not taken.is_under_way:
            return HttpResponse(headers={"HX-Refresh": "true"})
        joined = self.kept()
        context = {
            "taken": taken,
            "progress_address": f"{request.path}{f'{joined}&' if joined else '?'}part=progress",
            "back": self.address("batches:batch-rows" if taken.kind == "batch" else "batches:run-rows")
            + joined,
        }
        template = "batches/prepared.html#progress" if part else "batches/prepared.html"
        return self.render(template, context)

    def _tell(self, taken: RowPreparation) -> None:
        words = f"{taken.rows:,} row{'s' * (taken.rows != 1)} taken."
        if taken.left_out:
            words += f" {taken.left_out:,} gave none, since their content is not kept."
        messages.info(self.request, words)


class KeepRowsView(ProjectView):
    """Take the rows of a batch into the library."""

    permissions: ClassVar = {"GET": Permission.DATASETS_EDIT, "POST": Permission.DATASETS_EDIT}

    def get(self, request: HttpRequest, batch: str, **kwargs: str) -> HttpResponse:
        version = self._job(batch).dataset_version
        if version.dataset.origin == Origin.LIBRARY:
            return redirect(self.address("datasets:detail", version.dataset.public_id))
        name = version.dataset.name.rpartition(".")[0] or version.dataset.name
        return self._page(batch, version, KeepRowsForm(initial={"name": name}))

    def post(self, request: HttpRequest, batch: str, **kwargs: str) -> HttpResponse:
        job, form = self._job(batch), KeepRowsForm(request.POST)
        if not form.is_valid():
            return self._page(batch, job.dataset_version, form, 422)
        try:
            kept = services.keep_rows(actor=self.access.actor, job=job, name=form.cleaned_data["name"])
        except (Conflict, InvalidRequest) as error:
            form.add_error("name", error.message)
            return self._page(batch, job.dataset_version, form, 409 if error.status == 409 else 422)
        messages.info(request, f"{kept.name} is in the library.")
        return redirect(self.address("datasets:detail", kept.public_id))

    def _job(self, batch: str) -> BatchJob:
        self.access.require(Permission.BATCHES_VIEW)
        return queries.get_job(self.project, batch)

    def _page(
        self, batch: str, version: DatasetVersion, form: KeepRowsForm, status: int = 200
    ) -> HttpResponse:
        context = {"version": version, "form": form, "back": self.address("batches:detail", batch)}
        return self.render("batches/keep_rows.html", context, status=status)


class BatchRowsFileView(ProjectView):
    """The rows that a batch runs over, as a file."""

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW}

    def get(self, request: HttpRequest, batch: str, **kwargs: str) -> HttpResponseBase:
        version = queries.get_job(self.project, batch).dataset_version
        return downloads.download(version, request.GET.get("format", "csv"))
