"""From the words of an address to filters, strictly. Inside the organization's scope."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from apps.analytics.dimensions import DIMENSIONS, NONE, Filters
from apps.core import ids
from apps.core.errors import InvalidRequest, NotFound
from apps.core.numbers import whole_number
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.queries import find_prompt
from apps.runs.models import RunSource
from apps.tenants.models import APIKey, Project

MOST_VALUES: Final = 20
LONGEST_VALUE: Final = 255


def read_filters(project: Project, given: Mapping[str, Sequence[str]]) -> Filters:
    """The filters that an address names: `prompt` (name or id), `version` (id, or number beside one prompt),
    `label`, `model`, `key`, `source` and `error`, each up to 20 times; "-" is runs without one.

    Raises InvalidRequest naming the parameter.
    """
    values = {name: _values(name, given.get(name, ())) for name in DIMENSIONS}
    prompts = tuple(_prompt(project, text) for text in values["prompt"])
    return Filters(
        prompts=prompts,
        versions=_versions(project, prompts, values["version"]),
        labels=tuple("" if text == NONE else text for text in values["label"]),
        models=values["model"],
        keys=tuple(_key(text) for text in values["key"]),
        sources=tuple(_source(text) for text in values["source"]),
        errors=values["error"],
    )


def _values(name: str, given: Sequence[str]) -> tuple[str, ...]:
    values = tuple(dict.fromkeys(text for text in given if text))
    if len(given) > MOST_VALUES:
        raise InvalidRequest(f"{name} is given at most {MOST_VALUES} times.", param=name)
    for text in values:
        if len(text) > LONGEST_VALUE or "\x00" in text:
            raise InvalidRequest(f"{name} has at most {LONGEST_VALUE} characters and no NUL.", param=name)
    return values


def _prompt(project: Project, text: str) -> UUID | None:
    if text == NONE:
        return None
    try:
        return find_prompt(project, text).pk
    except NotFound:
        # A deleted prompt's runs stay, and so does the address that shows them.
        found = ids.decode_or_none(Prompt.PREFIX, text)
        if found is None:
            raise InvalidRequest(f"The project has no prompt '{text[:64]}'.", param="prompt") from None
        return found


def _versions(
    project: Project, prompts: Sequence[UUID | None], texts: Sequence[str]
) -> tuple[UUID | None, ...]:
    numbers = {text: number for text in texts if (number := whole_number(text)) is not None}
    if numbers and (len(prompts) != 1 or prompts[0] is None):
        raise InvalidRequest(
            "A version's number needs exactly one prompt beside it; else give its id.", param="version"
        )
    of_prompts = [prompt for prompt in prompts if prompt]
    rows = PromptVersion.objects.filter(
        prompt_id__in=of_prompts, prompt__project=project, number__in=numbers.values()
    )
    found = dict(rows.values_list("number", "pk")) if numbers else {}
    return tuple(_version(text, numbers, found) for text in texts)


def _version(text: str, numbers: Mapping[str, int], found: Mapping[int, UUID]) -> UUID | None:
    if text == NONE:
        return None
    if text in numbers:
        version_id = found.get(numbers[text])
        if version_id is None:
            raise InvalidRequest(f"The prompt has no version {text}.", param="version")
        return version_id
    return _id(PromptVersion.PREFIX, text, "version")


def _key(text: str) -> UUID | None:
    return None if text == NONE else _id(APIKey.PREFIX, text, "key")


def _id(prefix: str, text: str, name: str) -> UUID:
    found = ids.decode_or_none(prefix, text)
    if found is None:
        raise InvalidRequest(f"{name} is an id that begins with {prefix}_, or {NONE}.", param=name)
    return found


def _source(text: str) -> str:
    if text not in RunSource.values:
        raise InvalidRequest(f"source is one of {', '.join(RunSource.values)}.", param="source")
    return text
