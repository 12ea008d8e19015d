"""What stands on a playground page: taken from a version, a draft, an earlier run, or what was sent."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson
from django.http import QueryDict

from apps.core.chat_content import attachments_of, text_of
from apps.core.errors import InvalidRequest, NotFound
from apps.core.models import find
from apps.core.numbers import whole_number
from apps.prompts import drafting, grants
from apps.prompts import queries as prompt_queries
from apps.prompts.content import MAX_MESSAGES
from apps.prompts.drafting import TypedPrompt, TypedVariable
from apps.prompts.json_text import pretty
from apps.prompts.models import Prompt
from apps.prompts.types import ROLES
from apps.runs import queries
from apps.runs.models import Run
from apps.runs.queries import Content
from apps.tenants.access import Access
from apps.tenants.models import Project
from apps.tenants.roles import Permission

BLANK: Final = TypedPrompt(messages=(("system", ""), ("user", "")))
VALUE_FIELD: Final = "value:"
_TAG: Final = re.compile(r"\{[{%#]")


@dataclass(frozen=True, slots=True)
class PageContent:
    """A page's content. `number` is the version it was taken from, `note` what could not be taken along."""

    typed: TypedPrompt = BLANK
    values: Mapping[str, str] = field(default_factory=dict)
    prompt: Prompt | None = None
    number: int | None = None
    draft: bool = False
    note: str = ""

    def rows(self) -> tuple[TypedVariable, ...]:
        """The variables, declared or only read, each with its value as the sample."""
        completed = self.typed.completed(self.typed.reading())
        return tuple(
            replace(each, sample=self.values.get(each.name, each.sample)) for each in completed.variables
        )

    def with_messages(self, messages: Sequence[tuple[str, str]]) -> "PageContent":
        """The same with other messages."""
        return replace(self, typed=replace(self.typed, messages=tuple(messages)))


def content_of_address(access: Access, project: Project, asked: QueryDict) -> PageContent:
    """What an address asks for: `?run=`, or `?prompt=` with `version`, `label` or `draft`; else blank.

    Raises NotFound. Call it inside the scope.
    """
    if asked.get("run"):
        return _from_run(access, project, asked.get("run", ""))
    if asked.get("prompt"):
        return _from_prompt(access, project, asked)
    return PageContent()


def content_of_form(access: Access, project: Project, data: QueryDict) -> PageContent:
    """What was sent by the form, with everything as it was typed. Raises NotFound for a foreign prompt."""
    pairs = zip(data.getlist("role"), data.getlist("content"), strict=False)
    messages = tuple((role, content.replace("\r\n", "\n")) for role, content in pairs)[:MAX_MESSAGES]
    prompt = visible_prompt(access, project, data.get("prompt", "")) if data.get("prompt") else None
    return PageContent(
        typed=TypedPrompt(
            messages=messages or BLANK.messages,
            variables=declared_variables(data.get("declared", "")),
            model=data.get("model", ""),
            parameters={name: data.get(name, "") for name in drafting.PARAMETERS if data.get(name)},
            output_schema=data.get("output_schema", ""),
            tools=data.get("tools", ""),
        ),
        values={
            name.removeprefix(VALUE_FIELD): data.get(name, "")
            for name in data
            if name.startswith(VALUE_FIELD)
        },
        prompt=prompt,
        number=whole_number(data.get("version", "")),
    )


def declared_variables(text: str) -> tuple[TypedVariable, ...]:
    """The declarations that a page carries along, as JSON. Raises InvalidRequest for what is none."""
    try:
        rows = orjson.loads(text) if text else []
    except orjson.JSONDecodeError:
        raise InvalidRequest("The variables' declarations can't be read.", param="variables") from None
    return drafting.from_json({"variables": rows}).variables


def declarations(typed: TypedPrompt) -> list[dict[str, Any]]:
    """The declared variables as a page carries them along."""
    return [each for each in typed.as_json()["variables"] if each["declared"]]


def visible_prompt(access: Access, project: Project, reference: str) -> Prompt:
    """A prompt of the project that the user may see. Raises NotFound."""
    prompts = grants.visible_prompts(access, Prompt.objects.filter(project=project))
    found = find(prompts, reference) or prompts.filter(name=reference).first()
    if found is None:
        raise NotFound("There is no such prompt, or it isn't yours to see.", code="prompt_not_found")
    return found


def _from_prompt(access: Access, project: Project, asked: QueryDict) -> PageContent:
    prompt = visible_prompt(access, project, asked.get("prompt", ""))
    if asked.get("draft") or asked.get("version") == "draft":
        person = access.actor.id
        draft = prompt_queries.find_draft(prompt, person) if person else None
        if draft is not None:
            return _page(drafting.from_json(draft.content), prompt, draft.base_number, is_draft=True)
    number = whole_number(asked.get("version", ""))
    version = prompt_queries.version_at(prompt, label=asked.get("label") or None, number=number)
    typed = drafting.from_content(prompt_queries.version_content(version))
    return _page(typed, prompt, version.number)


def _page(typed: TypedPrompt, prompt: Prompt, number: int | None, *, is_draft: bool = False) -> PageContent:
    return PageContent(typed=typed, values=typed.samples(), prompt=prompt, number=number, draft=is_draft)


def _from_run(access: Access, project: Project, public_id: str) -> PageContent:
    access.require(Permission.RUNS_VIEW)
    run = queries.get_run(project.pk, public_id)
    prompt = None
    if run.prompt_id:
        prompts = grants.visible_prompts(access, Prompt.objects.filter(project=project))
        prompt = prompts.filter(pk=run.prompt_id).first()
    content = queries.load_content(run)
    if content is None:
        why = "has been deleted" if run.stored_content else "was not stored"
        note = f"The content of this run {why}, so there is nothing to fill in."
        return PageContent(prompt=prompt, note=note)
    typed, note = _typed_run(run, content, prompt)
    values = {name: _text(value) for name, value in content.variables.items()}
    return PageContent(typed, values, prompt, run.version_number if prompt else None, note=note)


def _typed_run(run: Run, content: Content, prompt: Prompt | None) -> tuple[TypedPrompt, str]:
    """A run as it would have been typed: by its templates where they are known, else word for word."""
    note = ""
    variables: tuple[TypedVariable, ...] = ()
    if content.inline:
        messages = _templates(content.inline["messages"])
        variables = drafting.from_json(
            {"variables": [_typed_row(each) for each in content.inline["variables"]]}
        ).variables
    elif prompt is not None and run.version_number is not None:
        version = prompt_queries.get_version(prompt, run.version_number)
        saved = drafting.from_content(prompt_queries.version_content(version))
        messages, variables = saved.messages, saved.variables
        if len(content.messages) > len(messages):
            note = "Messages that the caller added to the prompt's own stand below them."
            messages = (*messages, *_literal(content.messages[len(messages) :]))
    else:
        messages = _literal(content.messages)
    if any(map(attachments_of, content.messages)):
        note = f"{note} The run's images and files can't be typed here and are left out.".strip()
    typed = TypedPrompt(
        messages=messages,
        variables=variables,
        model=run.model,
        parameters={
            name: drafting.parameter_text(value)
            for name, value in content.parameters.items()
            if name in drafting.PARAMETERS
        },
        output_schema=pretty(content.output_schema) if content.output_schema else "",
        tools=pretty(list(content.tools)) if content.tools else "",
    )
    return typed, note


def _templates(messages: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    return tuple((str(each["role"]), str(each["content"])) for each in messages)


def _literal(messages: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Messages as they were sent, as templates that say exactly that; tools' messages become the user's."""
    return tuple(
        (
            each["role"] if each["role"] in ROLES else "user",
            _TAG.sub(lambda tag: f"{{{{ '{tag.group()}' }}}}", _words(each)),
        )
        for each in messages
    )


def _words(message: Mapping[str, Any]) -> str:
    calls = message.get("tool_calls")
    return text_of(message) + (pretty(calls) if calls else "")


def _typed_row(variable: Mapping[str, Any]) -> dict[str, Any]:
    return {**variable, "default": _text(variable.get("default")), "sample": _text(variable.get("sample"))}


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return orjson.dumps(value).decode()
