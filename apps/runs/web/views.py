"""Page 19: the list of runs, and one run."""

from datetime import timedelta
from typing import Any, ClassVar, Final

import orjson
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone

from apps.core import ids
from apps.core.json_bodies import dump_json
from apps.core.tables import Action
from apps.prompts import grants
from apps.prompts.models import Prompt
from apps.runs import queries
from apps.runs.background.queries import find_background, find_run_or_background, waiting_runs
from apps.runs.bodies import background_body, run_detail_body
from apps.runs.feedback import feedback_of, giver_of
from apps.runs.models import BackgroundRun, Run
from apps.runs.queries import Content, RunFilters
from apps.runs.web.background_views import background_page, load_again, looks_again
from apps.runs.web.forms import FeedbackForm
from apps.runs.web.listing import EVER, RUNS, filters_of, prepare
from apps.runs.web.presentation import detail_context
from apps.runs.web.voices import shown_voices
from apps.tenants.models import APIKey
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

MOST_PROMPTS: Final = 200
PANEL_ROWS: Final = 5
JUST_ENDED: Final = timedelta(hours=1)
LONGEST_RAW: Final = 200_000
VIEWS: Final = ("text", "markdown", "json")


class RunListView(ProjectView):
    """A project's runs; every filter stands in the address."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponseBase:
        search = request.GET.get("q", "").strip()
        found = self._named(search) if search else None
        if found is not None:
            return redirect(self.address("runs:detail", found.public_id))
        asked = RUNS.read(request.GET, choices=self._choices(request.GET.get("prompt", "")))
        rows = queries.list_runs(self.project.id, filters_of(asked))
        if search:
            # An id that no run has: neither page nor file may show other runs in its place.
            rows = rows.none()
        context = {
            "search": search,
            "actions": self._actions(),
            "ever": f"?range={EVER}",
            "narrowed": bool(search) or any(asked.filters[name] for name in asked.filters if name != "range"),
            "any_run": queries.list_runs(self.project.id).exists,
            "waiting": self._waiting(),
            "waiting_shown": PANEL_ROWS,
        }
        return self.list_page(RUNS, asked, rows, "runs/list.html", context)

    def _named(self, search: str) -> Run | BackgroundRun | None:
        return queries.find_run(self.project.id, search) or find_background(self.project.id, search)

    def _waiting(self) -> list[BackgroundRun]:
        """Background runs that wait or are under way, and those that lately ended before any call."""
        lately = timezone.now() - JUST_ENDED
        found = waiting_runs(self.project.id).filter(Q(finished_at=None) | Q(finished_at__gte=lately))
        return list(found.order_by("-pk")[: PANEL_ROWS + 1])

    def _actions(self) -> list[Action]:
        if not self.access.can(Permission.DATASETS_EDIT):
            return []
        return [Action("Add to dataset", "data", self.address("runs:add-chosen"))]

    def _choices(self, chosen: str) -> dict[str, list[tuple[str, str]]]:
        prompts = grants.visible_prompts(self.access, Prompt.objects.filter(project=self.project))
        named = [(each.public_id, each.name) for each in prompts.order_by("name")[:MOST_PROMPTS]]
        chosen_id = ids.decode_or_none(Prompt.PREFIX, chosen)
        if chosen_id and chosen not in dict(named):
            # A link may name one that the select has no room for, or that is known from its runs only.
            name = queries.prompt_name_in_runs(self.project.id, chosen_id)
            named += [(chosen, name)] if name else []
        models = [(name, name) for name in queries.recent_models(self.project.id)]
        return {"prompt": named, "model": models}


class RunPage(ProjectView, abstract=True):
    """The page of one run, whoever draws it."""

    def page_context(self, run: Run, form: FeedbackForm) -> dict[str, Any]:
        """Everything that the page shows; `form` is the feedback being given."""
        content = queries.load_content(run)
        key = APIKey.objects.filter(pk=run.api_key_id).first() if run.api_key_id else None
        voices = shown_voices(feedback_of(run).order_by("pk"), giver_of(self.access.actor).key)
        own = next((voice for voice in voices if voice.own), None)
        if own is not None and not form.is_bound:
            form = FeedbackForm(initial=own.initial)
        return {
            **detail_context(run, content, self.request.GET.get("view", "")),
            "raw_json": self._raw(run, content) if self.request.GET.get("raw") else "",
            "api_key": key,
            "source_run": queries.cached_source(run),
            "voices": voices,
            "own_voice": own,
            "form": form,
            "can_rate": self.access.can(Permission.RUNS_CREATE),
            "can_add": content is not None and self.access.can(Permission.DATASETS_EDIT),
            "can_play": content is not None and self.access.can(Permission.RUNS_CREATE),
        }

    def _raw(self, run: Run, content: Content | None) -> str:
        body = orjson.loads(dump_json(run_detail_body(run, content)))
        text = orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()
        more = "\n… the rest is in the file" if len(text) > LONGEST_RAW else ""
        return text[:LONGEST_RAW] + more


class RunView(RunPage):
    """One run: what was sent, what came back, how long it took, what it cost, what people think of it."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, *, run: str, **_: str) -> HttpResponse:
        found = find_run_or_background(self.project.id, run)
        if isinstance(found, BackgroundRun):
            return background_page(self, found)
        if looks_again(request):
            return load_again()
        return self.render("runs/detail.html", self.page_context(found, FeedbackForm()))


class RunJSONView(ProjectView):
    """A run as the API shows it, as a file."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, *, run: str, **_: str) -> HttpResponse:
        found = find_run_or_background(self.project.id, run)
        if isinstance(found, BackgroundRun):
            body = dump_json(background_body(found))
        else:
            body = dump_json(run_detail_body(found, queries.load_content(found)))
        headers = {"Content-Disposition": f'attachment; filename="{found.public_id}.json"'}
        return HttpResponse(body, content_type="application/json", headers=headers)


class RunsPanel(ProjectView):
    """The latest runs of one prompt, as a fragment for the prompt's page."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        prompt_id = ids.decode_or_none(Prompt.PREFIX, request.GET.get("prompt", ""))
        found = queries.list_runs(self.project.id, RunFilters(prompt_id=prompt_id))
        runs = list(found.order_by("-pk")[:PANEL_ROWS])
        context = {"rows": prepare(runs), "prompt": request.GET.get("prompt", "")}
        return self.render("runs/panel.html", context)
