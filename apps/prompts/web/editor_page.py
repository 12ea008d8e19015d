"""What the editor's page and its fragments show of a form."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from django.http import QueryDict
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from apps.core.errors import InvalidRequest, PromptsaasError
from apps.core.numbers import whole_number
from apps.datasets import queries as dataset_queries
from apps.datasets.models import DatasetRow, DatasetVersion
from apps.prompts import queries
from apps.prompts.content import clean_content
from apps.prompts.diffing import Section, diff_versions, summarize
from apps.prompts.drafting import TypedPrompt, placeholders
from apps.prompts.estimates import estimate_call
from apps.prompts.hints import Reading
from apps.prompts.models import Prompt
from apps.prompts.rendering import render
from apps.prompts.schema_form import TYPES, Property, SchemaForm, read_schema
from apps.prompts.tool_form import read_tools
from apps.prompts.types import ROLES, VersionContent
from apps.prompts.web.editor_form import FORM, RAW, EditorForm, read_text
from apps.prompts.web.list_views import model_options
from apps.prompts.web.presenting import OnePromptPage, compared
from apps.providers import tokens
from apps.tenants.roles import Permission

ROLE_NAMES: Final = [(role, role.capitalize()) for role in ROLES]
TYPE_NAMES: Final = [("text", "Text"), ("number", "Number"), ("boolean", "True or false"), ("json", "JSON")]
NEEDS: Final = [("required", "Required"), ("optional", "Optional")]
SCHEMA_TYPES: Final = [
    *((name, name.capitalize()) for name in TYPES),
    ("", "Other, see JSON"),
]
STRICT: Final = [("", "Not said"), ("true", "Strict"), ("false", "Not strict")]
CHOICES: Final = [("", "Model's own"), ("auto", "Auto"), ("required", "Must call one"), ("none", "None")]
PARALLEL: Final = [("", "Model's own"), ("true", "Several at once"), ("false", "One at a time")]
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
_ELSEWHERE: Final = frozenset({"stop", "reasoning_effort", "tool_choice", "parallel_tool_calls"})


class EditorPage(OnePromptPage, abstract=True):
    """What the editor's page and its fragments share."""

    def editor(self, form: EditorForm, errors: Mapping[str, str], **more: object) -> dict[str, Any]:
        """The form's context: blocks, variables, preview, remarks."""
        reading = form.typed.reading()
        form = replace(form, typed=form.typed.completed(reading))
        typed = form.typed
        source = self._row_source(form)
        preview = _preview(self.prompt, typed, reading, source)
        return {
            "prompt": self.prompt,
            "form": form,
            "blocks": _blocks(typed, errors),
            "is_chat": self.prompt.kind == "chat",
            "roles": ROLE_NAMES,
            "variables": _variables(typed, reading, errors),
            "undefined": [each.name for each in typed.variables if not each.declared],
            "types": TYPE_NAMES,
            "needs": NEEDS,
            "hints": reading.hints,
            "savable": reading.savable,
            "preview": preview,
            "source": source,
            "estimate": self._estimate(typed, preview),
            "schema": _schema_card(form, errors.get("output_schema", "")),
            "tools": _tools_card(form, errors.get("tools", "")),
            **_settings(typed, errors),
            "model_options": model_options(self.project.pk, typed.model),
            "errors": errors,
            "preview_address": self.address("preview", self.prompt.public_id),
            "draft_address": self.address("draft", self.prompt.public_id),
            "edit_address": self.address("edit", self.prompt.public_id),
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

    def change(self, form: EditorForm) -> dict[str, Any]:
        """What saving would change against the version that the form began from."""
        sections = self._compare(form)
        if sections is None:
            return {"summary": "", "comparison": None}
        return {"summary": summarize(sections), "comparison": compared(sections, split=False)}

    def change_summary(self, form: EditorForm) -> str:
        """The change in a few words; empty when it cannot be told yet."""
        sections = self._compare(form)
        return "" if sections is None else summarize(sections)

    def _compare(self, form: EditorForm) -> tuple[Section, ...] | None:
        try:
            content = clean_content(self.prompt.kind, form.typed.content())
            base = queries.version_content(queries.get_version(self.prompt, form.base_number))
        except PromptsaasError:
            return None
        return diff_versions(base, content)

    def _row_source(self, form: EditorForm) -> dict[str, Any]:
        """What fills the preview: the samples, or a row of a dataset that the person may see."""
        if not self.access.can(Permission.DATASETS_VIEW):
            return {"options": [], "chosen": "", "row": None}
        versions = list(dataset_queries.project_versions(self.project)[:100])
        chosen = next((each for each in versions if each.public_id == form.dataset), None)
        return {
            "options": [("", "Own samples"), *((each.public_id, _dataset_name(each)) for each in versions)],
            "chosen": chosen.public_id if chosen else "",
            "number": min(form.row, chosen.row_count) if chosen else 1,
            "total": chosen.row_count if chosen else 0,
            "row": _row(chosen, form.row) if chosen else None,
        }

    def _estimate(self, typed: TypedPrompt, preview: Mapping[str, Any]) -> dict[str, Any] | None:
        if "problem" in preview:
            return None
        parameters = _readable_parameters(typed)
        found = estimate_call(self.project.pk, typed.model, preview["rendered"], parameters)
        return {
            "input_tokens": found.input_tokens,
            "output_limit": found.output_limit,
            "status": found.status,
            "low": found.low,
            "high": found.high,
        }


def _dataset_name(version: DatasetVersion) -> str:
    return f"{version.dataset.name} · {version.row_count:,} {'row' if version.row_count == 1 else 'rows'}"


def _row(version: DatasetVersion, number: int) -> DatasetRow | None:
    wanted = min(number, version.row_count)
    return dataset_queries.list_rows(version).filter(number=wanted).first()


def _blocks(typed: TypedPrompt, errors: Mapping[str, str]) -> list[dict[str, Any]]:
    last = len(typed.messages) - 1
    return [
        {
            "index": index,
            "number": index + 1,
            "role": role,
            "role_name": role.capitalize(),
            "content": content,
            "lines": content.split("\n"),
            "tokens": tokens.count(content, typed.model),
            "has_values": "{{" in content or "{%" in content,
            "first": index == 0,
            "last": index == last,
            "only": last == 0,
            "error": errors.get(f"messages.{index}", ""),
        }
        for index, (role, content) in enumerate(typed.messages)
    ]


def _variables(typed: TypedPrompt, reading: Reading, errors: Mapping[str, str]) -> list[dict[str, Any]]:
    used = {variable.name for variable in reading.variables}
    return [
        {
            "name": variable.name,
            "type": variable.type,
            "need": "required" if variable.required else "optional",
            "default": variable.default,
            "sample": variable.sample,
            "long": variable.type == "json" or "\n" in variable.sample or len(variable.sample) > 40,
            "declared": variable.declared,
            "state": "declared" if variable.declared else f"found:{variable.type}",
            "unused": variable.declared and reading.savable and variable.name not in used,
            "error": errors.get(f"variables.{variable.name}") or errors.get(f"variables.{index}", ""),
        }
        for index, variable in enumerate(typed.variables)
    ]


def _preview(
    prompt: Prompt, typed: TypedPrompt, reading: Reading, source: Mapping[str, Any]
) -> dict[str, Any]:
    """The rendered messages, or why they cannot be rendered."""
    if not reading.savable:
        return {"problem": "The preview appears once the templates can be read."}
    row = source["row"]
    filled = {} if row else placeholders(typed.variables)
    values = row.variables if row else typed.samples() | filled
    try:
        content = _content(prompt, typed)
        rendered = render(content.messages, content.variables, values)
    except InvalidRequest as error:
        return {"problem": error.message}
    return {
        "rendered": rendered,
        "messages": [{"role": each["role"], "text": exact(each["content"])} for each in rendered],
        "stand_ins": ", ".join(filled),
    }


def _content(prompt: Prompt, typed: TypedPrompt) -> VersionContent:
    """The messages and variables alone: the preview does not wait for the rest to be right."""
    bare = replace(typed, parameters={}, output_schema="", tools="")
    return clean_content(prompt.kind, bare.content())


def exact(text: str) -> SafeString:
    """Text for a ``<pre>``, escaped so that a browser keeps every character: it would turn CR into LF."""
    return mark_safe(escape(text).replace("\r", "&#13;"))  # noqa: S308


def _settings(typed: TypedPrompt, errors: Mapping[str, str]) -> dict[str, Any]:
    given = typed.parameters
    shown = {name for name, _, _ in NUMBER_FIELDS} | _ELSEWHERE
    return {
        "number_fields": [
            {
                "name": name,
                "label": label,
                "hint": hint,
                "value": given.get(name, ""),
                "error": errors.get(f"parameters.{name}", ""),
            }
            for name, label, hint in NUMBER_FIELDS
        ],
        "extra_parameters": [(name, value) for name, value in given.items() if name not in shown],
        "stop": given.get("stop", ""),
        "stop_error": errors.get("parameters.stop", ""),
        "effort": given.get("reasoning_effort", ""),
        "efforts": EFFORTS,
    }


def _schema_card(form: EditorForm, error: str) -> dict[str, Any]:
    text = form.typed.output_schema
    value, problem = read_text(text)
    read = read_schema(value) if not problem else SchemaForm(refusal=problem)
    raw = form.schema_view == RAW or bool(read.refusal)
    return {
        "text": text,
        "raw": raw,
        "view": RAW if raw else FORM,
        "note": read.refusal,
        "problem": error or problem,
        "rows": _rows(read, "schema"),
        "hidden": ", ".join(read.hidden),
        "count": len(read.properties),
        "types": SCHEMA_TYPES,
        "needs": NEEDS,
    }


def _tools_card(form: EditorForm, error: str) -> dict[str, Any]:
    text = form.typed.tools
    value, problem = read_text(text)
    read = read_tools(value if not problem else None)
    raw = form.tools_view == RAW or bool(read.refusal or problem)
    given = form.typed.parameters
    named = [(tool.name, f"Must call {tool.name}") for tool in read.tools]
    return {
        "text": text,
        "raw": raw,
        "view": RAW if raw else FORM,
        "note": read.refusal,
        "problem": error or problem,
        "count": len(read.tools),
        "forms": [
            {
                "index": index,
                "number": index + 1,
                "name": tool.name,
                "was": index,
                "description": tool.description,
                "strict": tool.strict,
                "hidden": ", ".join(tool.hidden),
                "refusal": tool.parameters.refusal,
                "prefix": f"tool.{index}",
                "drop": f"tools:property:{index}:drop:",
                "rows": _rows(tool.parameters, f"tool.{index}"),
                "also": ", ".join(tool.parameters.hidden),
            }
            for index, tool in enumerate(read.tools)
        ],
        "types": SCHEMA_TYPES,
        "needs": NEEDS,
        "stricts": STRICT,
        "choices": [*CHOICES, *named],
        "choice": given.get("tool_choice", ""),
        "parallels": PARALLEL,
        "parallel": given.get("parallel_tool_calls", ""),
    }


def _rows(form: SchemaForm, prefix: str) -> list[dict[str, Any]]:
    return [_row_context(each, prefix, index) for index, each in enumerate(form.properties)]


def _row_context(each: Property, prefix: str, index: int) -> dict[str, Any]:
    return {
        "id": f"{prefix.replace('.', '-')}-{index}",
        "index": index,
        "name": each.name,
        "was": each.was,
        "type": each.type,
        "need": "required" if each.required else "optional",
        "description": each.description,
        "values": "\n".join(each.values or ()),
        "shows_values": each.values is not None and (each.type == "string" or bool(each.values)),
        "hidden": ", ".join(each.hidden),
    }


def _readable_parameters(typed: TypedPrompt) -> dict[str, Any]:
    limits = {name: typed.parameters.get(name, "") for name in ("max_tokens", "max_completion_tokens")}
    numbers = {name: whole_number(text.strip()) for name, text in limits.items()}
    return {name: number for name, number in numbers.items() if number is not None}
