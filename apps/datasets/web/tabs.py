"""The tabs of a dataset's pages."""

from typing import Any

from apps.datasets.models import Dataset
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView


def dataset_tabs(view: ProjectView, dataset: Dataset, current: str) -> list[dict[str, Any]]:
    """Rows, versions, columns, download, settings; the last only for who may use it."""
    tabs = [
        ("rows", "Rows", "detail"),
        ("versions", "Versions", "versions"),
        ("columns", "Columns", "columns"),
    ]
    tabs.append(("download", "Download", "download"))
    if view.access.can(Permission.DATASETS_EDIT):
        tabs.append(("settings", "Settings", "settings"))
    return [
        {
            "label": label,
            "href": view.address(f"datasets:{name}", dataset.public_id),
            "current": key == current,
            "count": getattr(dataset, "latest_number", None) if key == "versions" else None,
        }
        for key, label, name in tabs
    ]
