"""Pages of a dataset's versions: list, comparison, restore, download."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect

from apps.core.errors import InvalidRequest, NotFound
from apps.core.numbers import whole_number
from apps.datasets import downloads, queries, services
from apps.datasets.comparing import Difference, compare, is_comparable
from apps.datasets.limits import MOST_ROWS_COPIED
from apps.datasets.models import Dataset, DatasetVersion
from apps.datasets.row_storage import is_copyable
from apps.datasets.values import columns_mapping
from apps.datasets.web.cells import cells_of, kept, shown_columns
from apps.datasets.web.forms import ColumnsForm
from apps.datasets.web.tabs import dataset_tabs
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

VERSIONS_SHOWN = 100


class VersionsView(ProjectView):
    """All versions, and what differs between two of them (`?from=2&to=3`)."""

    permissions = {"GET": Permission.DATASETS_VIEW}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        versions = list(queries.list_versions(dataset)[:VERSIONS_SHOWN])
        before, after = _pair(request, dataset)
        too_large = bool(before and after and not is_comparable(before, after))
        difference = compare(before, after) if before and after and not too_large else None
        context = {
            "dataset": dataset,
            "versions": versions,
            "options": [(str(version.number), f"v{version.number}") for version in versions],
            "before": before,
            "after": after,
            "difference": difference,
            "too_large": too_large,
            "most_rows_copied": MOST_ROWS_COPIED,
            "columns": shown_columns(after) if after else [],
            "rows": _rows(before, after, difference) if before and after and difference else [],
            "can_edit": self.access.can(Permission.DATASETS_EDIT) and dataset.archived_at is None,
            "tabs": dataset_tabs(self, dataset, "versions"),
        }
        return self.render("datasets/versions.html", context)


class RestoreView(ProjectView):
    """Ask, then make an older version's rows the newest version."""

    permissions = {"GET": Permission.DATASETS_EDIT, "POST": Permission.DATASETS_EDIT}

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        version = queries.get_numbered_version(dataset, kwargs["number"])
        latest = queries.get_numbered_version(dataset, None)
        context = {
            "dataset": dataset,
            "version": version,
            "latest": latest,
            "next": latest.number + 1,
            "difference": compare(latest, version, limit=1) if is_comparable(latest, version) else None,
        }
        return self.render("datasets/restore.html", context)

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        restored = services.restore_version(
            actor=self.access.actor,
            version=queries.get_numbered_version(dataset, kwargs["number"]),
            expected_number=whole_number(request.POST.get("latest", "")),
        )
        messages.info(request, f"v{restored.number} holds the rows of v{kwargs['number']}.")
        return redirect(self.address("datasets:detail", dataset.public_id))


class ColumnsView(ProjectView):
    """What each column is; another choice makes a new version."""

    permissions = {"GET": Permission.DATASETS_VIEW, "POST": Permission.DATASETS_EDIT}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        latest = queries.get_numbered_version(dataset, None)
        return self._page(dataset, latest, ColumnsForm(mapping=columns_mapping(latest.columns)))

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        latest = queries.get_numbered_version(dataset, None)
        form = ColumnsForm(request.POST, mapping=columns_mapping(latest.columns))
        if not form.is_valid():
            return self._page(dataset, latest, form, 422)
        try:
            version = services.change_columns(
                actor=self.access.actor,
                dataset=dataset,
                mapping=form.mapping(),
                expected_number=whole_number(request.POST.get("latest", "")),
            )
        except InvalidRequest as error:
            form.add_error(None, error.message)
            return self._page(dataset, latest, form, 422)
        messages.info(request, f"v{version.number} has the changed columns.")
        return redirect(self.address("datasets:columns", dataset.public_id))

    def _page(
        self, dataset: Dataset, latest: DatasetVersion, form: ColumnsForm, status: int = 200
    ) -> HttpResponse:
        context = {
            "dataset": dataset,
            "version": latest,
            "form": form,
            "columns": shown_columns(latest),
            "can_edit": self.access.can(Permission.DATASETS_EDIT)
            and dataset.archived_at is None
            and is_copyable(latest),
            "tabs": dataset_tabs(self, dataset, "columns"),
        }
        return self.render("datasets/columns.html", context, status=status)


class DownloadView(ProjectView):
    """The ways to take a version away; with `?format=` the file itself."""

    permissions = {"GET": Permission.DATASETS_VIEW}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponseBase:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        asked = whole_number(request.GET.get("version", ""))
        version = queries.get_numbered_version(dataset, asked)
        if "format" in request.GET:
            return downloads.download(version, request.GET["format"])
        context = {
            "dataset": dataset,
            "version": version,
            "versions": list(queries.list_versions(dataset)[:VERSIONS_SHOWN]),
            "original": queries.stored_file(version.file_id),
            "problems": queries.stored_file(version.problems_file_id),
            "tabs": dataset_tabs(self, dataset, "download"),
        }
        return self.render("datasets/download.html", context)


class OriginalView(ProjectView):
    """The file of a version as it was uploaded."""

    permissions = {"GET": Permission.DATASETS_VIEW}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponseBase:
        version = queries.get_version(self.project, kwargs["version"])
        return downloads.download_original(version)


def _pair(request: HttpRequest, dataset: Dataset) -> tuple[DatasetVersion | None, DatasetVersion | None]:
    """The two versions to compare: as asked, or the latest with the one before it."""
    latest = getattr(dataset, "latest_number", None) or 0
    after = whole_number(request.GET.get("to", str(latest)))
    if after is None or after < 1:
        raise NotFound("The dataset has no such version.", code="dataset_version_not_found")
    before = whole_number(request.GET.get("from", str(after - 1)))
    if before is None or before < 1:
        return None, None
    return queries.get_numbered_version(dataset, before), queries.get_numbered_version(dataset, after)


def _rows(before: DatasetVersion, after: DatasetVersion, difference: Difference) -> list[dict[str, Any]]:
    """Each differing row with its cells; a changed one has both, cell by cell."""
    names = [column["column"] for column in after.columns]
    places = {column["column"]: place for place, column in enumerate(before.columns)}
    rows = []
    for row in difference.rows:
        old = cells_of(before, kept(row.before)) if row.before else []
        new = cells_of(after, kept(row.after)) if row.after else []
        cells = [
            {
                "old": old[places[name]] if old and name in places else "",
                "new": new[place] if new else "",
            }
            for place, name in enumerate(names)
        ]
        number = row.after.number if row.after else row.before.number if row.before else 0
        rows.append({"kind": row.kind, "number": number, "cells": cells})
    return rows
