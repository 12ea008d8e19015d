"""What pages show of an uploaded file, here and where its rows are for a batch."""

from typing import Any, Final

from django.http import HttpResponse

from apps.datasets import queries
from apps.datasets.models import DatasetImport, ImportState
from apps.datasets.parsing import BadRow, GoodRow
from apps.datasets.web.cells import shown
from apps.datasets.web.forms import FormatForm
from apps.tenants.web.base import ProjectView

PREVIEW_CHARACTERS: Final = 200


def recognised(dataset_import: DatasetImport, format_address: str) -> dict[str, Any]:
    """What was recognised of a file, with its first rows and the form that overrules it."""
    facts = queries.import_facts(dataset_import)
    kept = queries.stored_file(dataset_import.file_id) is not None
    return {
        "dataset_import": dataset_import,
        "facts": facts,
        "format_form": FormatForm.of(facts) if facts.format == "csv" and kept else None,
        "format_address": format_address,
        "preview": _preview(dataset_import) if kept else [],
    }


def may_be_mapped(dataset_import: DatasetImport) -> bool:
    """Whether a mapping can be given now; not for a file that could not be read to its end."""
    return dataset_import.state != ImportState.FAILED or dataset_import.staged_version_id is not None


def progress_page(view: ProjectView, dataset_import: DatasetImport, *, room: tuple[str, str]) -> HttpResponse:
    """How far a worker is with a file; `room` is the address and name of the list above it.

    Asked for `?part=progress`, the moving part alone, and the whole page anew once the worker is through.
    """
    part = view.request.GET.get("part") == "progress"
    if part and not dataset_import.is_under_way:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = {
        "dataset_import": dataset_import,
        "facts": queries.import_facts(dataset_import),
        "progress_address": f"{view.request.path}?part=progress",
        "list_address": room[0],
        "list_name": room[1],
    }
    template = "datasets/_import_progress.html" if part else "datasets/importing.html"
    return view.render(template, context)


def asks_for_progress(view: ProjectView, dataset_import: DatasetImport) -> bool:
    """Whether `progress_page` answers this request."""
    return dataset_import.is_under_way or view.request.GET.get("part") == "progress"


def _preview(dataset_import: DatasetImport) -> list[dict[str, Any]]:
    preview = queries.preview(dataset_import)
    return [_preview_row(row, preview.columns) for row in preview.rows]


def _preview_row(row: GoodRow | BadRow, columns: tuple[str, ...]) -> dict[str, Any]:
    if isinstance(row, BadRow):
        return {"line": row.line, "problem": row.reason, "raw": row.raw[:PREVIEW_CHARACTERS]}
    return {"line": row.line, "cells": [shown(row.values.get(column)) for column in columns]}
