"""Which defaults of its version a call went over: a default that most calls change doesn't fit. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from apps.core.errors import InvalidRequest
from apps.prompts.rendering import coerce_default
from apps.prompts.types import ResolvedPrompt
from apps.runs.types import InlinePrompt, PreparedRun, VersionDefaults

MOST_NAMES: Final = 50
"""Of one call; a version declares up to 100 variables."""


def overrides_of(prepared: PreparedRun) -> tuple[str, ...]:
    """`variable:<name>` and `parameter:<name>` for each default of the run's version that it differs from.

    Sorted, at most 50. A value that says what the default says overrides nothing, and without a version
    there are no defaults.
    """
    prompt = prepared.prompt
    defaults = _defaults(prompt)
    if prompt is None or defaults is None:
        return ()
    names = [f"parameter:{name}" for name in _parameters(defaults, prepared.chat.parameters)]
    names += [f"variable:{name}" for name in _variables(defaults, prompt, prepared.request.variables)]
    names.sort()
    return tuple(names[:MOST_NAMES])


def _defaults(prompt: ResolvedPrompt | InlinePrompt | None) -> VersionDefaults | None:
    if isinstance(prompt, InlinePrompt):
        return prompt.version_defaults
    return VersionDefaults(prompt.variables, prompt.parameters) if prompt is not None else None


def _parameters(defaults: VersionDefaults, used: Mapping[str, Any]) -> Iterator[str]:
    for name, value in defaults.parameters.items():
        if used.get(name) != value:
            yield name


def _variables(
    defaults: VersionDefaults, prompt: ResolvedPrompt | InlinePrompt, given: Mapping[str, Any]
) -> Iterator[str]:
    """The variables with a default whose value was another."""
    fallbacks = {variable["name"]: variable.get("default") for variable in prompt.variables}
    for variable in defaults.variables:
        name, default = variable["name"], variable.get("default")
        if default is not None and _value(variable, given, fallbacks) != default:
            yield name


def _value(variable: Mapping[str, Any], given: Mapping[str, Any], fallbacks: Mapping[str, Any]) -> Any:
    name = variable["name"]
    value = given.get(name)
    try:
        value = coerce_default(variable["type"], value, name)
    except InvalidRequest:
        # Unsaved content may declare another type than the version does.
        return value
    return fallbacks.get(name) if value is None else value
