"""How a prompt is served beside its versions: guardrails, caches, calls, limits. Pure.

Each section has a stored form (JSON, sparse) and a parsed one. A prompt's section takes the place of the
project's as a whole; a section that neither has is the default.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Never

import orjson

from apps.core.errors import InvalidRequest
from apps.guardrails.policy import OFF, GuardPolicy, parse_policy
from apps.prompts.rendering.grammar import NAME

# What the change feed calls a change of a project's default; its key is the project's id.
SERVING_CHANGED: Final = "serving"

Section = Literal["guardrails", "cache", "calls", "limits"]
SECTIONS: Final[tuple[Section, ...]] = ("guardrails", "cache", "calls", "limits")


@dataclass(frozen=True, slots=True)
class CacheRules:
    """When an earlier answer does. Seconds of 0 switch a cache off; a call's own word comes first.

    A semantic hit needs a cosine similarity of at least `threshold` by `embedding_model`
    (`<connection>/<model>`), and equal values of the `sensitive_variables`.
    """

    exact_seconds: int = 0
    semantic_seconds: int = 0
    threshold: float = 0.95
    embedding_model: str = ""
    sensitive_variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallRules:
    """How the provider is called. `fallbacks` are model references in order, tried after its own model."""

    fallbacks: tuple[str, ...] = ()
    retries: int = 2
    timeout_seconds: float = 120.0
    repair_attempts: int = 0


@dataclass(frozen=True, slots=True)
class LimitRules:
    """Most requests and tokens a minute, and runs at a time; None does not limit.

    The `user_` ones hold for each end user (`user` of a call) by itself.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_runs: int | None = None
    user_requests_per_minute: int | None = None
    user_tokens_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class ServingRules:
    """All of it, for one prompt or for a project's plain models."""

    guardrails: GuardPolicy = OFF
    cache: CacheRules = field(default_factory=CacheRules)
    calls: CallRules = field(default_factory=CallRules)
    limits: LimitRules = field(default_factory=LimitRules)


DEFAULT: Final = ServingRules()

LARGEST_SECTION: Final = 64 * 1024
MINUTE_LIMIT: Final = 1_000_000_000
LONGEST_EXACT: Final = 86_400
LONGEST_SEMANTIC: Final = 30 * 86_400
LEAST_THRESHOLD: Final = 0.5
MOST_FALLBACKS: Final = 5
MOST_RETRIES: Final = 5
MOST_REPAIRS: Final = 2
LONGEST_CALL: Final = 600
MOST_SENSITIVE: Final = 50
LONGEST_REFERENCE: Final = 255
_REFERENCE: Final = re.compile(r"[^\s\x00-\x1f\x7f]+\Z")

Reader = Callable[[Any, str], Any]


def parse_rules(*layers: Mapping[Section, Any]) -> ServingRules:
    """The rules of layers of sections (prompt before project). Raises InvalidRequest naming the field."""
    guardrails, cache, calls, limits = (_first(name, layers) for name in SECTIONS)
    return ServingRules(
        guardrails=OFF if guardrails is None else parse_policy(guardrails),
        cache=CacheRules() if cache is None else _cache(cache),
        calls=CallRules() if calls is None else CallRules(**_read("calls", calls)),
        limits=LimitRules() if limits is None else LimitRules(**_read("limits", limits)),
    )


def clean_section(name: Section, value: Any) -> dict[str, Any]:
    """A section in its stored form: what was given and nothing else.

    Raises InvalidRequest naming the field that is unknown, of a wrong type or out of its range.
    """
    if not isinstance(value, dict):
        _refuse(f"{name} is an object, or null for what the project says.", name)
    parse_rules({name: value})
    _demand_storable(name, value)
    return {field: given for field, given in value.items() if given is not None}


def section_body(rules: CacheRules | CallRules | LimitRules) -> dict[str, Any]:
    """A parsed section with all its fields, as JSON data."""
    values = {name: getattr(rules, name) for name in rules.__dataclass_fields__}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _demand_storable(name: Section, value: dict[str, Any]) -> None:
    try:
        written = orjson.dumps(value)
    except (TypeError, orjson.JSONEncodeError):
        _refuse(f"{name} holds text that is not valid Unicode.", name)
    if b"\\u0000" in written:
        _refuse(f"{name} holds a NUL character, which cannot be stored.", name)
    if len(written) > LARGEST_SECTION:
        _refuse(f"{name} has at most {LARGEST_SECTION // 1024} KiB.", name)


def _first(name: Section, layers: tuple[Mapping[Section, Any], ...]) -> Any:
    return next((layer[name] for layer in layers if layer.get(name) is not None), None)


def _cache(value: Any) -> CacheRules:
    rules = CacheRules(**_read("cache", value))
    if rules.semantic_seconds and not rules.embedding_model:
        _refuse(
            "The semantic cache needs a model that compares: name an embedding_model.",
            "cache.embedding_model",
        )
    return rules


def _read(section: Section, value: Any) -> dict[str, Any]:
    """The fields that a section gives, each read by its own reader."""
    if not isinstance(value, dict):
        _refuse(f"{section} is an object.", section)
    readers = _READERS[section]
    for name in value:
        if name not in readers:
            known = ", ".join(readers)
            _refuse(f"{section} has no field '{name[:64]}'. It has {known}.", f"{section}.{name[:64]}")
    # Null says nothing, as in calls: the default holds.
    given = {name: each for name, each in value.items() if each is not None}
    return {name: readers[name](each, f"{section}.{name}") for name, each in given.items()}


def _whole(least: int, most: int) -> Reader:
    def read(value: Any, param: str) -> int:
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not whole or not least <= value <= most:
            _refuse(f"{param} is a whole number from {least:,} to {most:,}.", param)
        return int(value)

    return read


def _number(least: float, most: float) -> Reader:
    def read(value: Any, param: str) -> float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not least <= value <= most:
            _refuse(f"{param} is a number from {least:g} to {most:g}.", param)
        return float(value)

    return read


def _embedding_model(value: Any, param: str) -> str:
    if value == "":
        return ""
    reference = _reference(value, param)
    connection, _, model = reference.partition("/")
    if not connection or not model:
        _refuse(
            "A model that compares is named <connection>/<model>, such as openai/text-embedding-3-small.",
            param,
        )
    return reference


def _fallbacks(value: Any, param: str) -> tuple[str, ...]:
    found = _list(value, param, MOST_FALLBACKS, _reference)
    if len(set(found)) < len(found):
        _refuse(f"{param} names a model twice.", param)
    return found


def _reference(value: Any, param: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_REFERENCE or not _REFERENCE.match(value):
        _refuse(
            f"{param} names a model as <connection>/<model>, or an alias: "
            f"at most {LONGEST_REFERENCE} characters without blanks.",
            param,
        )
    return value


def _variable(value: Any, param: str) -> str:
    if not isinstance(value, str) or not NAME.match(value):
        _refuse(f"{param} is the name of a variable: letters, digits and _, a letter first.", param)
    return value


def _sensitive(value: Any, param: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_list(value, param, MOST_SENSITIVE, _variable)))


def _list(value: Any, param: str, most: int, read: Callable[[Any, str], str]) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > most:
        _refuse(f"{param} is a list of at most {most}.", param)
    return tuple(read(each, f"{param}.{number}") for number, each in enumerate(value))


def _refuse(message: str, param: str) -> Never:
    raise InvalidRequest(message, code="parameter_invalid", param=param)


_LIMIT: Final = _whole(1, MINUTE_LIMIT)
_READERS: Final[Mapping[Section, Mapping[str, Reader]]] = {
    "cache": {
        "exact_seconds": _whole(0, LONGEST_EXACT),
        "semantic_seconds": _whole(0, LONGEST_SEMANTIC),
        "threshold": _number(LEAST_THRESHOLD, 1),
        "embedding_model": _embedding_model,
        "sensitive_variables": _sensitive,
    },
    "calls": {
        "fallbacks": _fallbacks,
        "retries": _whole(0, MOST_RETRIES),
        "timeout_seconds": _number(1, LONGEST_CALL),
        "repair_attempts": _whole(0, MOST_REPAIRS),
    },
    "limits": dict.fromkeys(LimitRules.__dataclass_fields__, _LIMIT),
}
