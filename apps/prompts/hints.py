"""What the author of a prompt should know while writing: what forbids saving, what is worth a look. Pure."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from apps.prompts.rendering import TemplateProblem, Variable, check_template

_SINGLE_BRACES: Final = re.compile(r"(?<![{%#$\\\w])\{([A-Za-z]\w{0,63})\}(?!\})")
_TAG: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_BRACES: Final = re.compile(r"\}\}|[{}]")
SIMILAR_NAMES: Final = 0.82
SHORTEST_SIMILAR: Final = 4
MAX_HINTS: Final = 50


@dataclass(frozen=True, slots=True)
class Hint:
    """One remark. `message` is the message's index, None for remarks on variables; lines count from 1.

    `name` is the variable that it is about, if it is about one.
    """

    level: Literal["bad", "warn"]
    text: str
    message: int | None = None
    line: int = 0
    column: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the templates of a draft read, and the remarks on them."""

    variables: tuple[Variable, ...]
    hints: tuple[Hint, ...]

    @property
    def complete(self) -> bool:
        """Whether every message could be read, so that `variables` holds all there are."""
        return all(hint.level != "bad" for hint in self.hints)

    @property
    def savable(self) -> bool:
        return self.complete


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
    names = [variable["name"] for variable in declared]
    complete = all(hint.level != "bad" for hint in hints)
    hints += _undefined(found, places, names)
    hints += _similar_names(found, places, names)
    hints += _unused(found, names) if complete else ()
    return Reading(tuple(found.values()), tuple(hints[:MAX_HINTS]))


def resembles(name: str, other: str) -> bool:
    """Whether two names are so close that one may be meant for the other: case, underscores, a slip."""
    if name == other or re.sub(r"\d+", "#", name) == re.sub(r"\d+", "#", other):
        return False  # item_1 and item_2 are a series, not a slip
    plain, plain_other = (each.replace("_", "").lower() for each in (name, other))
    if plain == plain_other:
        return True
    if min(len(plain), len(plain_other)) < SHORTEST_SIMILAR:
        return False
    if plain in (f"{plain_other}s", plain_other.removesuffix("s")) or _is_swap(plain, plain_other):
        return True
    return difflib.SequenceMatcher(None, plain, plain_other, autojunk=False).ratio() >= SIMILAR_NAMES


def _is_swap(name: str, other: str) -> bool:
    """Whether two neighbouring letters are exchanged and nothing else differs."""
    if len(name) != len(other):
        return False
    places = [index for index, (one, two) in enumerate(zip(name, other, strict=True)) if one != two]
    if len(places) != 2 or places[1] != places[0] + 1:
        return False
    first, second = places
    return (name[first], name[second]) == (other[second], other[first])


def _brace_hints(index: int, content: str) -> Iterator[Hint]:
    # Tags are blanked, so that offsets stay and only plain text is looked at.
    outside = _TAG.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), content)
    for match in _SINGLE_BRACES.finditer(outside):
        name = match.group(1)
        text = f"{{{name}}} is plain text. A variable has two braces: {{{{ {name} }}}}."
        yield Hint("warn", text, index, *_place(content, match.start()))
    open_braces = 0
    for match in _BRACES.finditer(outside):
        if match.group() == "{":
            open_braces += 1
        elif match.group() == "}}" and not open_braces:
            text = "These closing braces have no opening ones; they stay as plain text."
            yield Hint("warn", text, index, *_place(content, match.start()))
        else:
            open_braces = max(0, open_braces - len(match.group()))


def _place(content: str, offset: int) -> tuple[int, int]:
    line = content.count("\n", 0, offset) + 1
    return line, offset - content.rfind("\n", 0, offset)


def _undefined(
    found: Mapping[str, Variable], places: Mapping[str, int], declared: Sequence[str]
) -> Iterator[Hint]:
    known = set(declared)
    for name, variable in found.items():
        if name in known:
            continue
        meant = next((each for each in declared if resembles(name, each)), "")
        text = f"{name} is not defined. " + (
            f"Did you mean {meant}?" if meant else "Saving defines it as a required value."
        )
        yield Hint("warn", text, places[name], variable.line, variable.column, name)


def _similar_names(
    found: Mapping[str, Variable], places: Mapping[str, int], declared: Sequence[str]
) -> Iterator[Hint]:
    """Two names that the messages read; an undefined one was already compared with the defined ones."""
    known = set(declared)
    names = list(found)
    for position, name in enumerate(names):
        rivals = (each for each in names[:position] if (each in known) == (name in known))
        near = next((each for each in rivals if resembles(name, each)), "")
        if near:
            variable = found[name]
            text = f"{name} looks like {near}. Are they the same?"
            yield Hint("warn", text, places[name], variable.line, variable.column, name)


def _unused(found: Mapping[str, Variable], declared: Sequence[str]) -> Iterator[Hint]:
    for name in declared:
        if name not in found:
            yield Hint("warn", f"{name} is defined and never used.", name=name)
