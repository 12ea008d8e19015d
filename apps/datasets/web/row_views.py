"""Pages of a dataset's rows: the table, the editor of one row, the draft."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.numbers import whole_number
from apps.datasets import queries, services
from apps.datasets.exporting import is_text
from apps.datasets.models import Dataset, DatasetVersion
from apps.datasets.row_storage import is_copyable
from apps.datasets.values import original
from apps.datasets.web.cells import RowForm, kept, merged, shown_columns
from apps.datasets.web.forms import PublishForm
from apps.datasets.web.tabs import dataset_tabs
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

ROWS_SHOWN: Final = 50
EDIT: Final = Permission.DATASETS_EDIT


class DatasetView(ProjectView):
    """The rows of one version; of the latest one with the edits that wait in the draft."""

    permissions = {"GET": Permission.DATASETS_VIEW}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        asked = request.GET.get("version", "")
        draft = None if asked else queries.get_draft(dataset)
        number = draft.row.base.number if draft else _number(asked)
        version = queries.get_numbered_version(dataset, number)
        first = _first_row(request, version)
        last = min(first + ROWS_SHOWN - 1, version.row_count)
        rows = queries.list_rows(version).filter(number__gte=first, number__lte=last)
        changes = queries.draft_changes(draft.row, first - 1, last) if draft else []
        can_edit = self.access.can(EDIT) and dataset.archived_at is None
        latest_number = getattr(dataset, "latest_number", None)
        context = {
            "dataset": dataset,
            "version": version,
            "latest": version.number == latest_number,
            "latest_number": latest_number,
            "draft": draft,
            "columns": shown_columns(version),
            "rows": merged(version, rows, changes),
            "newer": _rows_href(asked, first - ROWS_SHOWN) if first > 1 else "",
            "older": _rows_href(asked, first + ROWS_SHOWN) if last < version.row_count else "",
            "range_text": f"Rows {first:,} to {last:,} of {version.row_count:,}" if last else "No rows",
            "problems": queries.stored_file(version.problems_file_id),
            "can_edit": can_edit,
            "edits_rows": can_edit
            and (draft is not None or version.number == latest_number)
            and is_copyable(version),
            "too_large": can_edit and not is_copyable(version),
            "can_run": self.access.can(Permission.BATCHES_RUN),
            "tabs": dataset_tabs(self, dataset, "rows"),
        }
        return self.render("datasets/detail.html", context)


@dataclass(frozen=True, slots=True)
class _EditedRow:
    """What a row is in the draft, or in the latest version while there is no draft."""

    base: DatasetVersion
    values: dict[str, Any]
    revision: int
    removed: bool


class _RowView(ProjectView, abstract=True):
    """Finds what is edited: the dataset, the version that its draft is of, the row."""

    def base_of(self, dataset: Dataset) -> DatasetVersion:
        draft = queries.get_draft(dataset)
        return queries.get_numbered_version(dataset, draft.row.base.number if draft else None)

    def row_of(self, dataset: Dataset, place: int, sequence: int) -> _EditedRow:
        base = self.base_of(dataset)
        draft = queries.get_draft(dataset)
        change = queries.get_change(draft.row if draft else None, place, sequence)
        if change is None and sequence:
            raise NotFound("There is no such row.", code="row_not_found")
        row = queries.get_row(base, place) if change is None or change.removed else change
        values = original(base.columns, kept(row), text=is_text(base))
        return _EditedRow(base, values, change.revision if change else 0, bool(change and change.removed))

    def row_page(
        self, dataset: Dataset, form: RowForm, context: Mapping[str, Any], status: int = 200
    ) -> HttpResponse:
        return self.render("datasets/row.html", {"dataset": dataset, "form": form, **context}, status=status)

    def back(self, dataset: Dataset, place: int) -> HttpResponse:
        first = (max(place, 1) - 1) // ROWS_SHOWN * ROWS_SHOWN + 1
        address = self.address("datasets:detail", dataset.public_id)
        return redirect(address if first == 1 else f"{address}?from={first}")


class RowView(_RowView):
    """Edit one row. What is saved waits in the draft."""

    permissions = {"GET": EDIT, "POST": EDIT}

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        place, sequence = kwargs["place"], kwargs["sequence"]
        row = self.row_of(dataset, place, sequence)
        initial = {"revision": row.revision, "version": row.base.number}
        form = RowForm(base=row.base, values=row.values, initial=initial)
        return self.row_page(dataset, form, _place(place, sequence, row))

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        place, sequence = kwargs["place"], kwargs["sequence"]
        row = self.row_of(dataset, place, sequence)
        form = RowForm(request.POST, base=row.base, values=row.values)
        if not form.is_valid():
            return self.row_page(dataset, form, _place(place, sequence, row), 422)
        try:
            services.change_row(
                actor=self.access.actor,
                dataset=dataset,
                version_number=form.cleaned_data["version"],
                place=place,
                sequence=sequence,
                values=form.cleaned_data["values"],
                revision=form.cleaned_data["revision"],
            )
        except Conflict as error:
            return self._conflict(dataset, form, place, sequence, error)
        except InvalidRequest as error:
            form.add_error(None, error.message)
            return self.row_page(dataset, form, _place(place, sequence, row), 422)
        return self.back(dataset, place)

    def _conflict(
        self, dataset: Dataset, form: RowForm, place: int, sequence: int, error: Conflict
    ) -> HttpResponse:
        """Both texts: the fields keep what was typed, the table shows what the row is now."""
        row = self.row_of(dataset, place, sequence)
        data = dict(form.data.items())
        data |= {"revision": str(row.revision), "version": str(row.base.number)}
        theirs = [
            {"name": column["column"], "text": str(row.values.get(column["column"], ""))}
            for column in row.base.columns
        ]
        again = RowForm(data, base=row.base, values=row.values)
        context = _place(place, sequence, row) | {"conflict": error.message, "theirs": theirs}
        return self.row_page(dataset, again, context, 409)


class NewRowView(_RowView):
    """Add a row, empty or as the copy of another (`?copy=7.0`). It waits in the draft."""

    permissions = {"GET": EDIT, "POST": EDIT}

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        base, values, _ = self._copied(request, dataset)
        form = RowForm(base=base, values=values, initial={"revision": 0, "version": base.number})
        return self.row_page(dataset, form, {"copied": bool(values)})

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        base, values, after = self._copied(request, dataset)
        form = RowForm(request.POST, base=base, values=values)
        if not form.is_valid():
            return self.row_page(dataset, form, {"copied": bool(values)}, 422)
        try:
            change = services.add_row(
                actor=self.access.actor,
                dataset=dataset,
                version_number=form.cleaned_data["version"],
                after=after,
                values=form.cleaned_data["values"],
            )
        except (Conflict, InvalidRequest) as error:
            form.add_error(None, error.message)
            status = 409 if isinstance(error, Conflict) else 422
            return self.row_page(dataset, form, {"copied": bool(values)}, status)
        if "another" in request.POST:
            messages.info(request, "The row waits in the draft. Here is the next one.")
            return redirect(self.address("datasets:new-row", dataset.public_id))
        return self.back(dataset, change.place)

    def _copied(
        self, request: HttpRequest, dataset: Dataset
    ) -> tuple[DatasetVersion, dict[str, Any], int | None]:
        place, _, sequence = request.GET.get("copy", "").partition(".")
        number = whole_number(place)
        if number is None:
            return self.base_of(dataset), {}, None
        row = self.row_of(dataset, number, whole_number(sequence) or 0)
        return row.base, row.values, number


class RowActionView(_RowView):
    """Remove a row from the draft, or undo its edit."""

    permissions = {"POST": EDIT}

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        row = self.row_of(dataset, kwargs["place"], kwargs["sequence"])
        act = services.undo_change if kwargs["action"] == "undo" else services.remove_row
        revision = whole_number(request.POST.get("revision", ""))
        act(
            actor=self.access.actor,
            dataset=dataset,
            version_number=row.base.number,
            place=kwargs["place"],
            sequence=kwargs["sequence"],
            revision=row.revision if revision is None else revision,
        )
        return self.back(dataset, kwargs["place"])


class PublishView(ProjectView):
    """Make the draft the next version."""

    permissions = {"GET": EDIT, "POST": EDIT}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        draft = queries.get_draft(dataset)
        if draft is None:
            return redirect(self.address("datasets:detail", dataset.public_id))
        return self._page(dataset, draft, PublishForm(initial={"revision": draft.row.revision}))

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        draft = queries.get_draft(dataset)
        form = PublishForm(request.POST)
        if draft is None or not form.is_valid():
            return redirect(self.address("datasets:detail", dataset.public_id))
        try:
            version = services.publish_draft(actor=self.access.actor, dataset=dataset, **form.cleaned_data)
        except (Conflict, InvalidRequest) as error:
            again = PublishForm(dict(form.data.items()) | {"revision": str(draft.row.revision)})
            again.is_valid()
            again.add_error(None, error.message)
            return self._page(dataset, draft, again, 409 if isinstance(error, Conflict) else 422)
        messages.info(request, f"v{version.number} holds {version.row_count:,} rows.")
        return redirect(self.address("datasets:detail", dataset.public_id))

    def _page(
        self, dataset: Dataset, draft: queries.Draft, form: PublishForm, status: int = 200
    ) -> HttpResponse:
        latest = getattr(dataset, "latest_number", 0) or 0
        if draft.row.base.number == latest:
            del form.fields["on_top"]
        context = {
            "dataset": dataset,
            "draft": draft,
            "form": form,
            "latest": latest,
            "stale": draft.row.base.number != latest,
            "next": latest + 1,
        }
        return self.render("datasets/publish.html", context, status=status)


class DiscardView(ProjectView):
    """Throw the draft away."""

    permissions = {"GET": EDIT, "POST": EDIT}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        draft = queries.get_draft(dataset)
        if draft is None:
            return redirect(self.address("datasets:detail", dataset.public_id))
        return self.render("datasets/discard.html", {"dataset": dataset, "draft": draft})

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        dataset = queries.get_dataset(self.project, kwargs["dataset"])
        revision = whole_number(request.POST.get("revision", ""))
        services.discard_draft(
            actor=self.access.actor, dataset=dataset, revision=-1 if revision is None else revision
        )
        return redirect(self.address("datasets:detail", dataset.public_id))


def _place(place: int, sequence: int, row: _EditedRow) -> dict[str, Any]:
    return {
        "place": place,
        "sequence": sequence,
        "row": row,
        "number": None if sequence else place,
        "edited": row.revision > 0,
    }


def _number(text: str) -> int | None:
    if not text:
        return None
    number = whole_number(text)
    if number is None:
        raise NotFound("The dataset has no such version.", code="dataset_version_not_found")
    return number


def _first_row(request: HttpRequest, version: DatasetVersion) -> int:
    number = whole_number(request.GET.get("from", ""))
    return min(max(number or 1, 1), max(version.row_count, 1))


def _rows_href(version: str, first: int) -> str:
    start = f"from={max(first, 1)}"
    return f"?version={version}&{start}" if version else f"?{start}"
