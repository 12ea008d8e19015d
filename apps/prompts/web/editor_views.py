"""The editor: the newest version as a form, its preview, and saving the next version."""

from dataclasses import replace
from typing import Any, ClassVar, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect

from apps.core.errors import Conflict, InvalidRequest, PromptsaasError
from apps.prompts import queries, services
from apps.prompts.content import clean_content
from apps.prompts.diffing import diff_versions, summarize
from apps.prompts.hints import Reading
from apps.prompts.models import Prompt
from apps.prompts.rendering import render
from apps.prompts.types import ROLES, VersionContent
from apps.prompts.web import drafts
from apps.prompts.web.drafts import Draft
from apps.prompts.web.list_views import model_options
from apps.prompts.web.presenting import OnePromptPage, compared
from apps.tenants.roles import Permission

ROLE_NAMES: Final = [(role, role.capitalize()) for role in ROLES]
TYPE_NAMES: Final = [("text", "Text"), ("number", "Number"), ("boolean", "True or false"), ("json", "JSON")]
NEEDS: Final = [("required", "Required"), ("optional", "Optional")]
EFFORTS: Final = [
    ("", "Model's own"),
    *((word, word.capitalize()) for word in ("none", "minimal", "low", "medium", "high")),
    ("xhigh", "Extra high"),
]
NUMBER_FIELDS: Final = (
    ("temperature", "Temperature", "0 to 2"),
    ("max_tokens", "Maximum tokens", ""),
    ("top_p", "Top p", "0 to 1"),
    ("seed", "Seed", ""),
    ("frequency_penalty", "Frequency penalty", ""),
    ("presence_penalty", "Presence penalty", ""),
)


class EditorPage(OnePromptPage, abstract=True):
    """What the editor's page and its fragments share."""

    def editor(self, prompt: Prompt, draft: Draft, errors: dict[str, str], **more: object) -> dict[str, Any]:
        """The form's context: blocks, variables, preview, remarks."""
        reading = draft.reading()
        draft = draft.with_found_variables(reading)
        return {
            "prompt": prompt,
            "draft": draft,
            "blocks": _blocks(draft, prompt.kind, errors),
            "is_chat": prompt.kind == "chat",
            "roles": ROLE_NAMES,
            "variables": _variables(draft, reading, errors),
            "types": TYPE_NAMES,
            "needs": NEEDS,
            "hints": _hints(reading),
            "savable": reading.savable,
            "preview": _preview(prompt, draft, reading),
            "number_fields": [
                {"name": name, "label": label, "hint": hint, "value": draft.parameters.get(name, "")}
                | {"error": errors.get(f"parameters.{name}", "")}
                for name, label, hint in NUMBER_FIELDS
            ],
            "extra_parameters": _extra(draft),
            "stop": draft.parameters.get("stop", ""),
            "effort": draft.parameters.get("reasoning_effort", ""),
            "efforts": EFFORTS,
            "model_options": model_options(self.project.pk, draft.model),
            "errors": errors,
            "preview_address": self.address("preview", prompt.public_id),
            **more,
        }

    def save_dialog(self, labels: dict[str, int], data: QueryDict | None = None) -> dict[str, Any]:
        """The choices of the dialog that names the change."""
        return {
            "may_release": self.may(Permission.PROMPTS_RELEASE),
            "label_options": [
                ("", "Move no label"),
                *((name, f"{name}, now v{number}") for name, number in labels.items()),
                *([] if "production" in labels else [("production", "production, not set yet")]),
            ],
            "save_message": data.get("message", "") if data else "",
            "save_label": data.get("label", "") if data else "",
        }


class PromptView(EditorPage):
    """One prompt: the editor for who may edit, the newest version to read for everyone else."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW, "POST": Permission.PROMPTS_EDIT}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        prompt = self.prompt
        version = queries.latest_version(prompt)
        if not self.may(Permission.PROMPTS_EDIT):
            return redirect(self.address("version", prompt.public_id, version.number))
        draft = drafts.from_version(queries.version_content(version), version.number)
        return self._page(prompt, draft, {})

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        prompt = self.prompt
        draft = drafts.from_post(request.POST)
        action = request.POST.get("action", "preview")
        if action == "publish":
            return self._publish(prompt, draft)
        if action == "save":
            return self._page(prompt, draft, {}, save_open=True)
        return self._page(prompt, drafts.changed(draft, action), {})

    def _publish(self, prompt: Prompt, draft: Draft) -> HttpResponse:
        try:
            self._save(prompt, draft)
        except InvalidRequest as error:
            return self._page(prompt, draft, _place(error), status=422)
        except Conflict as error:
            if error.code == "version_stale":
                return self._conflict(prompt, draft)
            return self._page(prompt, draft, {"": error.message}, status=422)
        return redirect(self.address("edit", prompt.public_id))

    def _save(self, prompt: Prompt, draft: Draft) -> None:
        data = self.request.POST
        label = data.get("label", "")
        if label:
            self.require(Permission.PROMPTS_RELEASE)
        version = services.publish_version(
            actor=self.access.actor,
            prompt=prompt,
            content=draft.content(),
            message=data.get("message", ""),
            base_number=draft.base_number,
        )
        saved = f"Version {version.number} is saved."
        if label:
            services.move_label(actor=self.access.actor, prompt=prompt, label=label, number=version.number)
            saved = f"Version {version.number} is saved and {label} points at it."
        messages.success(self.request, saved)

    def _conflict(self, prompt: Prompt, draft: Draft) -> HttpResponse:
        """Somebody saved meanwhile: both changes side by side, and the draft kept in the form."""
        latest = queries.latest_version(prompt)
        theirs = queries.version_content(latest)
        mine = draft.content()
        base = queries.version_content(queries.get_version(prompt, draft.base_number or latest.number))
        fields = [(name, value) for name, values in self.request.POST.lists() for value in values]
        kept = {"csrfmiddlewaretoken", "base_number", "action"}
        context = {
            **self.head(prompt, queries.labels_of([prompt])[prompt.pk], "edit"),
            "latest": latest,
            "base_number": draft.base_number,
            "theirs": compared(diff_versions(base, theirs), split=False),
            "mine": compared(diff_versions(theirs, _cleaned(prompt, mine)), split=False),
            "fields": [(name, value) for name, value in fields if name not in kept],
            "action": self.address("edit", prompt.public_id),
        }
        return self.render("prompts/conflict.html", context, status=409)

    def _page(
        self,
        prompt: Prompt,
        draft: Draft,
        errors: dict[str, str],
        status: int = 200,
        **more: object,
    ) -> HttpResponse:
        labels = queries.labels_of([prompt])[prompt.pk]
        data = self.request.POST if self.request.method == "POST" else None
        context = {
            **self.head(prompt, labels, "edit"),
            **self.editor(prompt, draft, errors),
            **self.save_dialog(labels, data),
            "edit_address": self.address("edit", prompt.public_id),
            "change": _change(prompt, draft),
            "save_open": False,
            **more,
        }
        return self.render("prompts/editor.html", context, status=status)


class PreviewView(EditorPage):
    """The parts of the editor that follow what is typed, for htmx; saves nothing."""

    permissions: ClassVar = {"POST": Permission.PROMPTS_EDIT}

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        prompt = self.prompt
        action = request.POST.get("action", "")
        draft = drafts.changed(drafts.from_post(request.POST), action)
        context = self.editor(
            prompt,
            draft,
            {},
            change=_change(prompt, draft),
            with_blocks=bool(action) and not action.startswith("forget"),
            with_variables=request.POST.get("part") != "values",
        )
        return self.render("prompts/editor_parts.html", context)


def _cleaned(prompt: Prompt, content: VersionContent) -> VersionContent:
    try:
        return clean_content(prompt.kind, content)
    except InvalidRequest:
        return content


def _change(prompt: Prompt, draft: Draft) -> str:
    """What saving would change, against the newest version; empty when that cannot be told yet."""
    try:
        content = clean_content(prompt.kind, draft.content())
    except PromptsaasError:
        return ""
    latest = queries.version_content(queries.latest_version(prompt))
    return summarize(diff_versions(latest, content))


def _blocks(draft: Draft, kind: str, errors: dict[str, str]) -> list[dict[str, Any]]:
    last = len(draft.messages) - 1
    return [
        {
            "index": index,
            "number": index + 1,
            "role": role,
            "role_name": role.capitalize(),
            "content": content,
            "lines": content.split("\n"),
            "first": index == 0,
            "last": index == last,
            "only": last == 0,
            "error": errors.get(f"messages.{index}", ""),
        }
        for index, (role, content) in enumerate(draft.messages)
    ]


def _variables(draft: Draft, reading: Reading, errors: dict[str, str]) -> list[dict[str, Any]]:
    used = {variable.name for variable in reading.variables}
    return [
        {
            "name": variable.name,
            "type": variable.type,
            "need": "required" if variable.required else "optional",
            "default": variable.default,
            "sample": variable.sample,
            "unused": reading.savable and variable.name not in used,
            "error": errors.get(f"variables.{variable.name}") or errors.get(f"variables.{index}", ""),
        }
        for index, variable in enumerate(draft.variables)
    ]


def _hints(reading: Reading) -> list[dict[str, Any]]:
    return [
        {
            "level": hint.level,
            "text": hint.text,
            "number": None if hint.message is None else hint.message + 1,
            "line": hint.line,
            "column": hint.column,
        }
        for hint in reading.hints
    ]


def _preview(prompt: Prompt, draft: Draft, reading: Reading) -> dict[str, Any]:
    """The rendered messages, or why they cannot be rendered."""
    if not reading.savable:
        return {"problem": "The preview appears once the templates can be read."}
    filled = drafts.placeholders(draft.variables)
    try:
        content = clean_content(prompt.kind, replace(draft, parameters={}, output_schema="").content())
        rendered = render(content.messages, content.variables, draft.samples() | filled)
    except InvalidRequest as error:
        return {"problem": error.message}
    return {"messages": rendered, "stand_ins": ", ".join(filled)}


def _extra(draft: Draft) -> list[tuple[str, str]]:
    shown = {name for name, _, _ in NUMBER_FIELDS} | {"stop", "reasoning_effort"}
    return [(name, value) for name, value in draft.parameters.items() if name not in shown]


def _place(error: InvalidRequest) -> dict[str, str]:
    """An error under the field it belongs to; the empty name is the whole form."""
    param = error.param or ""
    parts = param.split(".")
    if parts[0] in ("messages", "variables") and len(parts) > 1:
        return {".".join(parts[:2]): error.message, "": error.message}
    if parts[0] in ("parameters", "output_schema", "model"):
        return {param: error.message, "": error.message}
    return {"": error.message}
