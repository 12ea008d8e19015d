"""Two people's changes to one prompt, put together by line and by field. Pure.

What one side alone changed is taken; what both changed in the same place is an overlap that a person decides.
Messages are merged as one text in which every message begins with a mark, so that whole messages may be
added, moved or removed by either side.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from apps.prompts.drafting import TypedPrompt, TypedVariable
from apps.prompts.json_text import tidied

Choice = Literal["mine", "theirs", "both"]
Origin = Literal["base", "theirs", "mine", "equal", "overlap"]
MAX_LINES: Final = 20_000
_SETTINGS: Final = (("model", "Model"), ("output_schema", "Output schema"), ("tools", "Tools"))


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a message begins, in the lines of all messages."""

    role: str


Line = str | Mark


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of lines. `origin` says who changed it; for an overlap all three sides count."""

    key: str
    origin: Origin
    base: tuple[Line, ...]
    theirs: tuple[Line, ...]
    mine: tuple[Line, ...]

    def taken(self, choice: Choice) -> tuple[Line, ...]:
        """The lines that stand in the result."""
        if self.origin == "overlap":
            return {"mine": self.mine, "theirs": self.theirs, "both": self.theirs + self.mine}[choice]
        return self.theirs if self.origin == "theirs" else self.mine


@dataclass(frozen=True, slots=True)
class Field:
    """One field outside the messages, as text; an empty text is a field that is not there."""

    key: str
    title: str
    origin: Origin
    base: str
    theirs: str
    mine: str

    def taken(self, choice: Choice) -> str:
        """The text that stands in the result."""
        if self.origin == "overlap":
            return self.theirs if choice == "theirs" else self.mine
        return self.theirs if self.origin == "theirs" else self.mine


@dataclass(frozen=True, slots=True)
class Merge:
    """Everything that two sides made of one base."""

    chunks: tuple[Chunk, ...]
    fields: tuple[Field, ...]
    theirs: TypedPrompt
    mine: TypedPrompt

    @property
    def overlaps(self) -> tuple[Chunk | Field, ...]:
        """What a person has to decide."""
        chunks = (each for each in self.chunks if each.origin == "overlap")
        return (*chunks, *(each for each in self.fields if each.origin == "overlap"))

    def result(self, choices: Mapping[str, str]) -> TypedPrompt:
        """Both sides' changes in one; an overlap without a choice keeps mine."""
        lines = [line for chunk in self.chunks for line in chunk.taken(_choice(choices, chunk.key))]
        taken = {each.key: each.taken(_choice(choices, each.key)) for each in self.fields}
        parameters = {
            key.removeprefix("parameters."): text
            for key, text in taken.items()
            if key.startswith("parameters.") and text
        }
        return replace(
            self.mine,
            messages=_messages(lines),
            model=taken["model"],
            output_schema=taken["output_schema"],
            tools=taken["tools"],
            parameters=parameters,
            variables=tuple(self._variables(choices)),
        )

    def _variables(self, choices: Mapping[str, str]) -> Iterator[TypedVariable]:
        theirs = {each.name: each for each in self.theirs.variables}
        mine = {each.name: each for each in self.mine.variables}
        for each in self.fields:
            if not each.key.startswith("variables."):
                continue
            name = each.key.removeprefix("variables.")
            from_theirs = each.origin == "theirs" or (
                each.origin == "overlap" and _choice(choices, each.key) == "theirs"
            )
            kept = (theirs if from_theirs else mine).get(name)
            if kept is not None:
                sample = kept.sample or (mine.get(name) or kept).sample
                yield replace(kept, sample=sample)


def merge(base: TypedPrompt, theirs: TypedPrompt, mine: TypedPrompt) -> Merge:
    """Merge what two sides made of a base."""
    chunks = merge_lines(_lines(base), _lines(theirs), _lines(mine))
    return Merge(chunks, tuple(_fields(base, theirs, mine)), theirs, mine)


def merge_lines(base: Sequence[Line], theirs: Sequence[Line], mine: Sequence[Line]) -> tuple[Chunk, ...]:
    """The lines as stretches that nobody, one side or both changed."""
    chunks: list[Chunk] = []
    at = (0, 0, 0)
    for start, end in _stable(base, theirs, mine):
        chunks += _changed(
            len(chunks), base[at[0] : start[0]], theirs[at[1] : start[1]], mine[at[2] : start[2]]
        )
        same = tuple(base[start[0] : end[0]])
        if same:
            chunks.append(Chunk(f"lines.{len(chunks)}", "base", same, same, same))
        at = end
    return tuple(chunks)


Place = tuple[int, int, int]


def _stable(
    base: Sequence[Line], theirs: Sequence[Line], mine: Sequence[Line]
) -> Iterator[tuple[Place, Place]]:
    """Stretches that stand unchanged on all three sides, and the end of all as the last one."""
    last = (len(base), len(theirs), len(mine))
    if sum(last) <= MAX_LINES:
        left, right = _matches(base, theirs), _matches(base, mine)
        position = 0
        while position < len(base):
            if position not in left or position not in right:
                position += 1
                continue
            start = (position, left[position], right[position])
            length = 1
            while all(match.get(position + length) == match[position] + length for match in (left, right)):
                length += 1
            yield start, (start[0] + length, start[1] + length, start[2] + length)
            position += length
    yield last, last


def _matches(base: Sequence[Line], other: Sequence[Line]) -> dict[int, int]:
    matcher = difflib.SequenceMatcher(None, base, other, autojunk=False)
    return {
        block.a + offset: block.b + offset
        for block in matcher.get_matching_blocks()
        for offset in range(block.size)
    }


def _changed(
    number: int, base: Sequence[Line], theirs: Sequence[Line], mine: Sequence[Line]
) -> Iterator[Chunk]:
    if base or theirs or mine:
        sides = (tuple(base), tuple(theirs), tuple(mine))
        yield Chunk(f"lines.{number}", _origin(*sides), *sides)


def _origin(base: object, theirs: object, mine: object) -> Origin:
    if theirs == mine:
        return "base" if base == mine else "equal"
    if theirs == base:
        return "mine"
    return "theirs" if mine == base else "overlap"


def _fields(base: TypedPrompt, theirs: TypedPrompt, mine: TypedPrompt) -> Iterator[Field]:
    for key, title in _SETTINGS:
        yield _field(key, title, *(tidied(getattr(side, key)) for side in (base, theirs, mine)))
    sides = (base, theirs, mine)
    for name in dict.fromkeys(name for side in sides for name in side.parameters):
        texts = (side.parameters.get(name, "") for side in sides)
        yield _field(f"parameters.{name}", name, *texts)
    for name in dict.fromkeys(each.name for side in sides for each in side.variables):
        rows = ({each.name: each for each in side.variables}.get(name) for side in sides)
        yield _field(f"variables.{name}", f"Variable {name}", *(_variable_text(row) for row in rows))


def _field(key: str, title: str, base: str, theirs: str, mine: str) -> Field:
    return Field(key, title, _origin(base, theirs, mine), base, theirs, mine)


def _variable_text(variable: TypedVariable | None) -> str:
    if variable is None:
        return ""
    need = "required" if variable.required else "optional"
    default = f", default {variable.default}" if variable.default else ""
    return f"{variable.type}, {need}{default}"


def _lines(typed: TypedPrompt) -> list[Line]:
    lines: list[Line] = []
    for role, content in typed.messages:
        lines += [Mark(role), *content.split("\n")]
    return lines


def _messages(lines: Sequence[Line]) -> tuple[tuple[str, str], ...]:
    messages: list[tuple[str, list[str]]] = []
    for line in lines:
        if isinstance(line, Mark):
            messages.append((line.role, []))
        elif messages:
            messages[-1][1].append(line)
        else:
            messages.append(("user", [line]))
    return tuple((role, "\n".join(texts)) for role, texts in messages)


def _choice(choices: Mapping[str, str], key: str) -> Choice:
    chosen = choices.get(key, "mine")
    return "theirs" if chosen == "theirs" else "both" if chosen == "both" else "mine"
