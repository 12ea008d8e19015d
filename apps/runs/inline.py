"""Content that is run without being saved: checked as a version would be, and told which prompt it is of."""

from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from apps.core import ids
from apps.core.errors import NotFound
from apps.prompts import queries
from apps.prompts.content import clean_content
from apps.prompts.models import Prompt
from apps.prompts.types import VersionContent
from apps.runs.types import InlinePrompt, VersionDefaults

_KIND: Final = "chat"


@dataclass(frozen=True, slots=True)
class Asked:
    """Unchecked content, and the prompt and version that it was taken from, if any."""

    content: VersionContent
    prompt: str = ""
    number: int | None = None


def attributed(project_id: UUID, asked: Asked) -> InlinePrompt:
    """The checked content with the prompt that its run counts for. Call it inside the scope.

    It counts for the version only while it says what the version says; model and parameters may differ, as
    they may for a run of the version itself. It is served as the prompt is, or else as the project's plain
    models are. Raises InvalidRequest, NotFound.
    """
    content = clean_content(_KIND, asked.content)
    inline = InlinePrompt(
        messages=content.messages,
        variables=content.variables,
        model=content.model,
        parameters=content.parameters,
        output_schema=content.output_schema,
        tools=content.tools,
    )
    if not asked.prompt:
        return replace(inline, serving=queries.serving_rules(project_id))
    prompt = _find(project_id, asked.prompt)
    serving = queries.serving_rules(project_id, prompt.pk)
    inline = replace(inline, prompt_id=prompt.pk, name=prompt.name, serving=serving)
    return inline if asked.number is None else _of_version(inline, prompt, asked.number)


def _find(project_id: UUID, reference: str) -> Prompt:
    prompt_id = ids.decode_or_none(Prompt.PREFIX, reference)
    found = Prompt.objects.filter(project_id=project_id, pk=prompt_id).first() if prompt_id else None
    if found is None:
        raise NotFound("There is no such prompt in this project.", code="prompt_not_found", param="prompt")
    return found


def _of_version(inline: InlinePrompt, prompt: Prompt, number: int) -> InlinePrompt:
    version = queries.get_version(prompt, number)
    saved = queries.version_content(version)
    same = (saved.messages, saved.output_schema, saved.tools) == (
        inline.messages,
        inline.output_schema,
        inline.tools,
    )
    if not same:
        return inline
    defaults = VersionDefaults(saved.variables, saved.parameters)
    return replace(inline, version_id=version.pk, number=version.number, version_defaults=defaults)
