"""What the editor tells an author before saving: problems that forbid it, and things worth a look. Pure."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from apps.prompts.rendering import TemplateProblem, Variable, check_template

_SINGLE_BRACES: Final = re.compile(r"(?<![{%#$\\\w])\{([A-Za-z]\w{0,63})\}(?!\})")
_TAG: Final = re.compile(r"\{\{[^\n]*?\}\}|\{%[^\n]*?%\}|\{#[^\n]*?#\}")
_CLOSING: Final = re.compile(r"\}\}")
SIMILAR_NAMES: Final = 0.82


@dataclass(frozen=True, slots=True)
class Hint:
    """One remark. `message` is the message's index, None for remarks on variables; lines count from 1."""

    level: Literal["bad", "warn"]
    text: str
    message: int | None = None
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """What the templates of a draft read, and the remarks on them."""

    variables: tuple[Variable, ...]
    hints: tuple[Hint, ...]

    @property
    def savable(self) -> bool:
        return all(hint.level != "bad" for hint in self.hints)


def read_templates(contents: Sequence[str], declared: Iterable[Mapping[str, Any]] = ()) -> Reading:
    """Find the variables of all messages and everything worth telling their author."""
    found: dict[str, Variable] = {}
    places: dict[str, int] = {}
    hints: list[Hint] = []
    for index, content in enumerate(contents):
        try:
            variables = check_template(content)
        except TemplateProblem as problem:
            hints += [Hint("bad", each.message, index, each.line, each.column) for each in problem.problems]
            continue
        for variable in variables:
            found[variable.name] = found.get(variable.name, variable).merged(variable)
            places.setdefault(variable.name, index)
        hints += _brace_hints(index, content)
    complete = all(hint.level != "bad" for hint in hints)
    hints += _similar_names(found, places)
    hints += _unused(found, declared) if complete else ()
    return Reading(tuple(found.values()), tuple(hints))


def _brace_hints(index: int, content: str) -> Iterator[Hint]:
    outside = _TAG.sub(lambda match: " " * len(match.group()), content)
    for match in _SINGLE_BRACES.finditer(outside):
        name = match.group(1)
        text = f"{{{name}}} is plain text. A variable has two braces: {{{{ {name} }}}}."
        yield Hint("warn", text, index, *_place(content, match.start()))
    if "{{" not in content and "{%" not in content:
        for match in _CLOSING.finditer(content):
            text = "These closing braces have no opening ones; they stay as plain text."
            yield Hint("warn", text, index, *_place(content, match.start()))


def _place(content: str, offset: int) -> tuple[int, int]:
    line = content.count("\n", 0, offset) + 1
    return line, offset - content.rfind("\n", 0, offset)


def _similar_names(found: Mapping[str, Variable], places: Mapping[str, int]) -> Iterator[Hint]:
    names = list(found)
    for position, name in enumerate(names):
        near = difflib.get_close_matches(name, names[:position], n=1, cutoff=SIMILAR_NAMES)
        if near:
            variable = found[name]
            text = f"{name} looks like {near[0]}. Are they the same?"
            yield Hint("warn", text, places[name], variable.line, variable.column)


def _unused(found: Mapping[str, Variable], declared: Iterable[Mapping[str, Any]]) -> Iterator[Hint]:
    for variable in declared:
        if variable["name"] not in found:
            yield Hint("warn", f"{variable['name']} is declared and never used.")
