"""Page 19: the list of runs, and one run."""

from datetime import timedelta
from typing import Any, ClassVar, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from apps.core import ids
from apps.core.web_paging import web_page
from apps.prompts.models import Prompt
from apps.runs import queries
from apps.runs.models import RunSource, RunStatus
from apps.runs.queries import RunFilters
from apps.runs.web.presentation import RunRow, detail_context
from apps.tenants.models import APIKey
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

DEFAULT_RANGE: Final = "24h"
RANGES: Final[dict[str, tuple[str, timedelta | None]]] = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
    "all": ("All time", None),
}
MOST_PROMPTS: Final = 200


class RunListView(ProjectView):
    """A project's runs; every filter stands in the address."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        search = request.GET.get("q", "").strip()
        found = queries.find_run(self.project.id, search) if search else None
        if found is not None:
            return redirect("runs:detail", self.organization.slug, self.project.slug, found.public_id)
        chosen = _chosen(request)
        page = web_page(queries.list_runs(self.project.id, _filters(chosen)), request)
        previews = queries.load_previews(page.rows)
        return self.render(
            "runs/list.html",
            {
                "page": page,
                "rows": [RunRow.of(run, previews.get(run.pk)) for run in page.rows],
                "search": search,
                "filters": self._selects(chosen),
                "filtered": any(value for name, value in chosen.items() if name != "range"),
                "range_word": RANGES[chosen["range"]][0],
                "none_older": not page.rows and not queries.list_runs(self.project.id).exists(),
            },
        )

    def _selects(self, chosen: dict[str, str]) -> list[dict[str, Any]]:
        prompts = Prompt.objects.filter(project=self.project).order_by("name")[:MOST_PROMPTS]
        models = [(name, name) for name in queries.recent_models(self.project.id)]
        options: dict[str, tuple[str, list[tuple[str, str]]]] = {
            "range": ("Time", [(name, word) for name, (word, _) in RANGES.items()]),
            "status": ("Status", [("", "Any status"), *RunStatus.choices]),
            "prompt": (
                "Prompt",
                [("", "Any prompt"), *((prompt.public_id, prompt.name) for prompt in prompts)],
            ),
            "source": ("Source", [("", "Any source"), *RunSource.choices]),
            "model": ("Model", [("", "Any model"), *models]),
        }
        return [
            {"name": name, "label": label, "options": choices, "current": chosen[name]}
            for name, (label, choices) in options.items()
        ]


class RunView(ProjectView):
    """One run: what was sent, what came back, how long it took, what it cost."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, *, run: str, **_: str) -> HttpResponse:
        found = queries.get_run(self.project.id, run)
        content = queries.load_content(found)
        key = APIKey.objects.filter(pk=found.api_key_id).first() if found.api_key_id else None
        return self.render(
            "runs/detail.html",
            {
                **detail_context(found, content),
                "api_key": key,
                "source_run": queries.cached_source(found),
            },
        )


def _chosen(request: HttpRequest) -> dict[str, str]:
    """The filters of the address; what is not offered counts as not chosen."""
    get = request.GET.get
    allowed = {"status": RunStatus.values, "source": RunSource.values, "range": list(RANGES)}
    chosen = {name: get(name, "") for name in ("range", "status", "prompt", "source", "model")}
    for name, values in allowed.items():
        if chosen[name] not in values:
            chosen[name] = ""
    chosen["range"] = chosen["range"] or DEFAULT_RANGE
    return chosen


def _filters(chosen: dict[str, str]) -> RunFilters:
    length = RANGES[chosen["range"]][1]
    return RunFilters(
        status=chosen["status"],
        prompt_id=ids.decode_or_none(Prompt.PREFIX, chosen["prompt"]),
        source=chosen["source"],
        model=chosen["model"],
        since=timezone.now() - length if length else None,
    )
