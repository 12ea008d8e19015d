"""Page 10: the playground. With script it streams from the gateway; without, one column runs here."""

from typing import Any, ClassVar, Final

import orjson
from django.http import HttpRequest, HttpResponse

from apps.core import ids
from apps.core.errors import InvalidRequest, PromptsaasError
from apps.core.numbers import whole_number
from apps.core.request_id import current_request_id
from apps.datasets import queries as dataset_queries
from apps.prompts import grants
from apps.prompts import queries as prompt_queries
from apps.prompts.content import MAX_MESSAGES
from apps.prompts.models import Prompt
from apps.prompts.rendering import render
from apps.prompts.types import ROLES
from apps.providers import queries as provider_queries
from apps.runs.cache_plan import LONGEST_SECONDS
from apps.runs.inline import Asked, attributed
from apps.runs.models import Run
from apps.runs.playground_once import run_once
from apps.runs.repair import MOST_ATTEMPTS
from apps.runs.types import CacheWish, InlinePrompt, RunRequest, RunResult
from apps.runs.web.playground_content import (
    PageContent,
    content_of_address,
    content_of_form,
    declarations,
)
from apps.runs.web.run_notes import Note, run_notes
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

MOST_COLUMNS: Final = 4
MOST_PROMPTS: Final = 500
MOST_VERSIONS: Final = 100
MOST_DATASETS: Final = 200
PAGE_RUN_SECONDS: Final = 60.0
EFFORTS: Final = [
    ("", "model's own"),
    *((word, word) for word in ("none", "minimal", "low", "medium", "high")),
]
NUMBER_FIELDS: Final = (
    ("temperature", "Temperature", "0 to 2"),
    ("max_tokens", "Maximum tokens", "model's own"),
    ("top_p", "Top p", "0 to 1"),
    ("seed", "Seed", "none"),
    ("frequency_penalty", "Frequency penalty", "-2 to 2"),
    ("presence_penalty", "Presence penalty", "-2 to 2"),
)
# What a try asks of caches and of repair, beside the policy of its prompt.
SERVED_FIELDS: Final = (
    ("cache", "Cache", [("", "Always ask the model"), ("policy", "As the policy"), ("3600", "For an hour")]),
    ("repair", "Repair", [("", "As the policy"), ("0", "Never"), ("1", "Once"), ("2", "Twice")]),
)


class PlaygroundView(ProjectView):
    """Try a prompt, saved or not, with up to four models side by side."""

    permissions: ClassVar = {"GET": Permission.RUNS_CREATE, "POST": Permission.RUNS_CREATE}
    scoped: ClassVar[bool] = False

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        with self.scope():
            content = content_of_address(self.access, self.project, request.GET)
            return self._page(content)

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        """The form without script: add or remove a message, or run."""
        result: RunResult | None = None
        problem: PromptsaasError | None = None
        with self.scope():
            content = _changed(
                content_of_form(self.access, self.project, request.POST), request.POST.get("action", "")
            )
            is_run = request.POST.get("action", "run") == "run"
            inline: InlinePrompt | None = None
            try:
                inline = self._inline(content) if is_run else None
            except InvalidRequest as error:
                problem = error
        if inline is not None:
            try:
                result = run_once(self._request(inline, content))
            except PromptsaasError as error:
                problem = error
        with self.scope():
            return self._page(content, result=result, problem=problem)

    def _inline(self, content: PageContent) -> InlinePrompt:
        prompt = ids.encode(Prompt.PREFIX, content.prompt.pk) if content.prompt else ""
        inline = attributed(self.project.pk, Asked(content.typed.content(), prompt, content.number))
        # What can't be rendered needs no engine.
        render(inline.messages, inline.variables, _given(content))
        return inline

    def _request(self, inline: InlinePrompt, content: PageContent) -> RunRequest:
        run_id = ids.uuid7()
        return RunRequest(
            run_id=run_id,
            organization_id=self.organization.pk,
            project_id=self.project.pk,
            source="playground",
            source_id=self.user.pk,
            usage_key=f"run:{run_id}",
            inline=inline,
            variables=_given(content),
            request_id=current_request_id() or "",
            timeout_seconds=PAGE_RUN_SECONDS,
            cache=_cache_wish(self.request.POST.get("cache", "")),
            repair_attempts=_repair(self.request.POST.get("repair", "")),
        )

    def _page(
        self,
        content: PageContent,
        *,
        result: RunResult | None = None,
        problem: PromptsaasError | None = None,
    ) -> HttpResponse:
        context = {
            **self._prompt_context(content),
            **self._column_context(content),
            "content": content,
            "variables": content.rows(),
            "blocks": list(enumerate(content.typed.messages)),
            "roles": [(role, role.capitalize()) for role in ROLES],
            "declared": orjson.dumps(declarations(content.typed)).decode(),
            "result": result,
            "result_id": ids.encode("run", result.run_id) if result else "",
            "problem": problem,
            "notes": self._notes(result),
            "facts": self._facts(content),
            "may_edit": self.access.can(Permission.PROMPTS_EDIT),
            "may_add_rows": self.access.can(Permission.DATASETS_EDIT),
            "datasets": self._datasets(),
        }
        failed = problem is not None or (result is not None and result.error is not None)
        return self.render("runs/playground.html", context, status=422 if failed else 200)

    def _notes(self, result: RunResult | None) -> list[Note]:
        """What is known of the run besides its answer."""
        found = Run.objects.filter(pk=result.run_id).first() if result else None
        return run_notes(found) if found else []

    def _prompt_context(self, content: PageContent) -> dict[str, Any]:
        prompts = grants.visible_prompts(self.access, Prompt.objects.filter(project=self.project))
        names = [(each.public_id, each.name) for each in prompts.order_by("name")[:MOST_PROMPTS]]
        picked = content.prompt.public_id if content.prompt else ""
        if content.prompt and picked not in dict(names):
            names.insert(0, (picked, content.prompt.name))
        return {
            "prompt_options": [("", "Blank"), *names],
            "picked": picked,
            "version_options": self._versions(content.prompt) if content.prompt else [],
            "picked_version": "draft" if content.draft else str(content.number or ""),
        }

    def _versions(self, prompt: Prompt) -> list[tuple[str, str]]:
        labels = prompt_queries.labels_by_number(prompt_queries.labels_of([prompt])[prompt.pk])
        versions = prompt_queries.timeline(prompt, upto=None, limit=MOST_VERSIONS)
        options = [
            (str(each.number), " · ".join([f"v{each.number}", *labels.get(each.number, ())]))
            for each in versions
        ]
        if prompt_queries.find_draft(prompt, self.user.pk) is not None:
            options.insert(0, ("draft", "Your draft"))
        return options

    def _column_context(self, content: PageContent) -> dict[str, Any]:
        choices = provider_queries.model_choices(self.project.pk)
        options = [
            (each.reference, f"{each.label} · {'Sandbox' if each.sandbox else each.connection}")
            for each in choices
        ]
        model = content.typed.model
        if model and model not in dict(options):
            options.insert(0, (model, f"{model} · not connected"))
        typed = content.typed.parameters
        return {
            "model_options": options,
            "model": model or provider_queries.default_model(self.project.pk),
            "number_fields": [
                {"name": name, "label": label, "hint": hint, "value": typed.get(name, "")}
                for name, label, hint in NUMBER_FIELDS
            ],
            "stop": typed.get("stop", ""),
            "effort": typed.get("reasoning_effort", ""),
            "efforts": EFFORTS,
            "tool_choice": typed.get("tool_choice", ""),
            "served_fields": [
                {"name": name, "label": label, "options": options, "value": self.request.POST.get(name, "")}
                for name, label, options in SERVED_FIELDS
            ],
        }

    def _datasets(self) -> list[tuple[str, str]]:
        if not self.access.can(Permission.DATASETS_EDIT):
            return []
        found = dataset_queries.list_datasets(self.project).order_by("name")[:MOST_DATASETS]
        return [(each.public_id, each.name) for each in found]

    def _facts(self, content: PageContent) -> dict[str, Any]:
        """What the script needs to know."""
        return {
            "project": self.project.public_id,
            "prompt": content.prompt.public_id if content.prompt else "",
            "promptName": content.prompt.name if content.prompt else "",
            "version": content.number,
            "isDraft": content.draft,
            "declared": declarations(content.typed),
            "mostColumns": MOST_COLUMNS,
            "mostMessages": MAX_MESSAGES,
            "addresses": {
                "run": "/v1/playground/run",
                "token": self.address("runs:playground-token"),
                "variables": self.address("runs:playground-variables"),
                "facts": self.address("runs:playground-facts", "RUN"),
                "page": self.address("runs:detail", "RUN"),
                "code": self.address("runs:playground-code"),
                "save": self.address("runs:playground-save"),
                "rows": self.address("runs:playground-rows"),
            },
        }


def _cache_wish(text: str) -> CacheWish | None:
    """What the form says of caches; None, which takes nothing from them, where it says nothing known."""
    if text == "policy":
        return CacheWish()
    seconds = whole_number(text)
    return CacheWish(seconds=min(seconds, LONGEST_SECONDS)) if seconds else None


def _repair(text: str) -> int | None:
    number = whole_number(text)
    return None if number is None else min(number, MOST_ATTEMPTS)


def _given(content: PageContent) -> dict[str, str]:
    """The values that were given; an empty field gives none."""
    return {name: text for name, text in content.values.items() if text}


def _changed(content: PageContent, action: str) -> PageContent:
    """The content after a button that changes the messages."""
    word, _, place = action.partition(":")
    messages = list(content.typed.messages)
    if word == "add" and len(messages) < MAX_MESSAGES:
        messages.append(("assistant" if messages[-1][0] == "user" else "user", ""))
    number = whole_number(place)
    if word == "drop" and number is not None and number < len(messages) and len(messages) > 1:
        del messages[number]
    return content.with_messages(messages)
