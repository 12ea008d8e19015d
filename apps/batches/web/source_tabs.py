"""The tabs of a new batch: where its rows come from."""

from typing import Any

from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView


def source_tabs(view: ProjectView, current: str, query: str = "") -> list[dict[str, Any]]:
    """A dataset, an upload, earlier runs, another batch; `query` goes along."""
    tabs = [("dataset", "Dataset", "new"), ("upload", "Upload", "upload-rows")]
    if view.access.can(Permission.RUNS_VIEW):
        tabs.append(("runs", "Earlier runs", "run-rows"))
    if view.access.can(Permission.BATCHES_VIEW):
        tabs.append(("batch", "Another batch", "batch-rows"))
    return [
        {"label": label, "href": view.address(f"batches:{name}") + query, "current": key == current}
        for key, label, name in tabs
    ]
