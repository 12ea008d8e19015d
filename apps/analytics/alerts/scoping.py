"""Reading a scope as pages and programs name it: prompts by name or id, keys by id."""

from typing import Final
from uuid import UUID

from apps.analytics.alerts.spec import Scope
from apps.core.errors import InvalidRequest, NotFound
from apps.prompts import queries as prompts
from apps.runs.models import RunSource
from apps.tenants import queries as tenants
from apps.tenants.models import Project

LONGEST: Final = {"label": 64, "model": 255}


def read_scope(
    project: Project,
    *,
    prompt: str = "",
    version: int | None = None,
    label: str = "",
    model: str = "",
    key: str = "",
    source: str = "",
    sandbox: bool = False,
) -> Scope:
    """The scope of a rule. Raises InvalidRequest naming what does not exist in the project."""
    prompt_id = version_id = None
    if prompt:
        try:
            found = prompts.find_prompt(project, prompt)
        except NotFound as problem:
            raise _invalid("prompt", problem.message) from None
        prompt_id = found.pk
        if version is not None:
            try:
                version_id = prompts.get_version(found, version).pk
            except NotFound as problem:
                raise _invalid("version", problem.message) from None
    elif version is not None:
        raise _invalid("version", "A version is one of a prompt: choose the prompt as well.")
    return Scope(
        prompt_id=prompt_id,
        version_id=version_id,
        version_number=version if version_id else None,
        label=_short("label", label),
        model=_short("model", model),
        api_key_id=_key(project, key),
        source=_source(source),
        sandbox=sandbox,
    )


def _key(project: Project, key: str) -> UUID | None:
    if not key:
        return None
    try:
        return tenants.get_key(project, key).pk
    except NotFound as problem:
        raise _invalid("key", problem.message) from None


def _source(source: str) -> str:
    if source and source not in set(RunSource):
        raise _invalid("source", f"A source is one of {', '.join(RunSource.values)}.")
    return source


def _short(name: str, text: str) -> str:
    text = text.strip()
    if len(text) > LONGEST[name]:
        raise _invalid(name, f"A {name} has at most {LONGEST[name]} characters.")
    return text


def _invalid(param: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, code="alert_rule_invalid", param=param)
