"""Pages of datasets: list, upload, mapping, rows."""

import json
from typing import Any

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import content_disposition_header

from apps.core import files
from apps.core.errors import InvalidRequest, NotFound
from apps.core.numbers import whole_number
from apps.core.web_paging import web_page
from apps.datasets import queries, services
from apps.datasets.models import DatasetImport, DatasetRow, DatasetVersion
from apps.datasets.parsing import BadRow, GoodRow
from apps.datasets.web.forms import FormatForm, MappingForm, UploadForm
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

ROWS_SHOWN = 50
PREVIEW_CHARACTERS = 200


class DatasetListView(ProjectView):
    """The project's datasets."""

    permissions = {"GET": Permission.DATASETS_VIEW}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        search = request.GET.get("q", "").strip()[:100]
        page = web_page(queries.list_datasets(self.project, search), request)
        context = {
            "page": page,
            "search": search,
            "can_edit": self.access.can(Permission.DATASETS_EDIT),
        }
        return self.render("datasets/list.html", context)


class UploadView(ProjectView):
    """Choose a file."""

    permissions = {"GET": Permission.DATASETS_EDIT, "POST": Permission.DATASETS_EDIT}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        return self.render("datasets/upload.html", {"form": UploadForm()})

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        form = UploadForm(request.POST, request.FILES)
        if not form.is_valid():
            return self.render("datasets/upload.html", {"form": form}, status=422)
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
            return self.render("datasets/upload.html", {"form": form}, status=422)
        return redirect(_address(self, "mapping", dataset_import=dataset_import.public_id))


class MappingView(ProjectView):
    """What was recognised of a file, and what its columns become."""

    permissions = {"GET": Permission.DATASETS_EDIT, "POST": Permission.DATASETS_EDIT}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset_import = queries.get_import(self.project, kwargs["dataset_import"])
        if dataset_import.version is not None:
            return redirect(_address(self, "detail", dataset=dataset_import.version.dataset.public_id))
        name = dataset_import.file_name.rpartition(".")[0] or dataset_import.file_name
        mapping = queries.import_mapping(dataset_import)
        return self._page(dataset_import, MappingForm(mapping=mapping, initial={"dataset": name[:120]}))

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset_import = queries.get_import(self.project, kwargs["dataset_import"])
        form = MappingForm(request.POST, mapping=queries.import_mapping(dataset_import))
        if not form.is_valid():
            return self._page(dataset_import, form, status=422)
        try:
            version = services.import_rows(
                actor=self.access.actor,
                dataset_import=dataset_import,
                dataset_name=form.cleaned_data["dataset"],
                mapping=form.mapping(),
            )
        except InvalidRequest as error:
            form.add_error(None, error.message)
            return self._page(dataset_import, form, status=422)
        messages.info(request, f"Version {version.number} holds {version.row_count:,} rows.")
        return redirect(_address(self, "detail", dataset=version.dataset.public_id))

    def _page(self, dataset_import: DatasetImport, form: MappingForm, status: int = 200) -> HttpResponse:
        facts = queries.import_facts(dataset_import)
        context = {
            "dataset_import": dataset_import,
            "facts": facts,
            "form": form,
            "format_form": FormatForm.of(facts) if facts.format == "csv" else None,
            "preview": _preview(dataset_import),
        }
        return self.render("datasets/mapping.html", context, status=status)


class FormatView(ProjectView):
    """Overrule what was recognised."""

    permissions = {"POST": Permission.DATASETS_EDIT}

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset_import = queries.get_import(self.project, kwargs["dataset_import"])
        form = FormatForm(request.POST)
        address = _address(self, "mapping", dataset_import=dataset_import.public_id)
        if not form.is_valid():
            raise InvalidRequest("Choose a delimiter and an encoding of the list.", param="delimiter")
        try:
            services.choose_format(
                actor=self.access.actor, dataset_import=dataset_import, **form.cleaned_data
            )
        except InvalidRequest as error:
            messages.error(request, error.message)
        return redirect(address)


class DatasetView(ProjectView):
    """The rows of one version."""

    permissions = {"GET": Permission.DATASETS_VIEW}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        versions = list(queries.list_versions(dataset)[:50])
        version = _chosen(versions, request.GET.get("version", ""))
        first = _first_row(request, version)
        rows = list(queries.list_rows(version).filter(number__gte=first)[: ROWS_SHOWN + 1])
        last = first + min(len(rows), ROWS_SHOWN) - 1
        context = {
            "dataset": dataset,
            "versions": versions,
            "version": version,
            "columns": [column for column in version.columns if column["role"] != "ignore"],
            "rows": [_cells(version, row) for row in rows[:ROWS_SHOWN]],
            "newer": _rows_href(version, first - ROWS_SHOWN) if first > 1 else "",
            "older": _rows_href(version, first + ROWS_SHOWN) if len(rows) > ROWS_SHOWN else "",
            "range_text": f"Rows {first:,} to {last:,} of {version.row_count:,}",
            "problems": queries.stored_file(version.problems_file_id),
            "can_edit": self.access.can(Permission.DATASETS_EDIT),
            "can_run": self.access.can(Permission.BATCHES_RUN),
        }
        return self.render("datasets/detail.html", context)


class ProblemsView(ProjectView):
    """The rows that could not be used, as CSV."""

    permissions = {"GET": Permission.DATASETS_VIEW}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        version = queries.get_version(self.project, kwargs["version"])
        stored = queries.stored_file(version.problems_file_id)
        if stored is None:
            raise NotFound("The file with the problem rows has expired.", code="file_expired")
        # Read here, since the scope ends with this method: the file is at most as large as an upload.
        content = b"".join(files.read(stored))
        disposition = content_disposition_header(as_attachment=True, filename=stored.name)
        headers = {"Content-Disposition": disposition or "attachment"}
        return HttpResponse(content, content_type="text/csv; charset=utf-8", headers=headers)


def _address(view: ProjectView, name: str, **kwargs: str) -> str:
    slugs = {"organization": view.organization.slug, "project": view.project.slug}
    return reverse(f"datasets:{name}", kwargs=slugs | kwargs)


def _preview(dataset_import: DatasetImport) -> list[dict[str, Any]]:
    preview = queries.preview(dataset_import)
    return [_preview_row(row, preview.columns) for row in preview.rows]


def _preview_row(row: GoodRow | BadRow, columns: tuple[str, ...]) -> dict[str, Any]:
    if isinstance(row, BadRow):
        return {"line": row.line, "problem": row.reason, "raw": row.raw[:PREVIEW_CHARACTERS]}
    return {"line": row.line, "cells": [_shown(row.values.get(column)) for column in columns]}


def _cells(version: DatasetVersion, row: DatasetRow) -> dict[str, Any]:
    source = {"variable": row.variables, "metadata": row.metadata}
    cells = [
        row.expected if column["role"] == "expected" else source[column["role"]].get(column["name"])
        for column in version.columns
        if column["role"] != "ignore"
    ]
    return {"number": row.number, "cells": [_shown(cell) for cell in cells]}


def _shown(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= PREVIEW_CHARACTERS else f"{text[:PREVIEW_CHARACTERS]}…"


def _chosen(versions: list[DatasetVersion], number: str) -> DatasetVersion:
    found = next((version for version in versions if str(version.number) == number), None)
    if number and found is None:
        raise NotFound("The dataset has no such version.", code="dataset_version_not_found")
    return found or versions[0]


def _first_row(request: HttpRequest, version: DatasetVersion) -> int:
    number = whole_number(request.GET.get("from", ""))
    return min(max(number or 1, 1), max(version.row_count, 1))


def _rows_href(version: DatasetVersion, first: int) -> str:
    return f"?version={version.number}&from={max(first, 1)}"
