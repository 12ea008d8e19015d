"""Differences between two versions: by line, and by word within changed lines. Pure.

A page shows sections (one per message, then model and parameters, variables, output schema, tools); each
section has rows for a split view, and ``unified`` turns rows into lines for a narrow one.
"""

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from apps.prompts.types import VersionContent

Change = Literal["same", "added", "removed", "changed"]
CONTEXT_LINES: Final = 3
# Beyond these sizes a comparison by word costs more than it tells.
MAX_WORDS: Final = 2_000
MAX_LINES: Final = 5_000
MOST_ROWS: Final = 10_000
# What costs time is how often a line, or a word, of one side stands on the other. For all lines of a text.
MAX_LINE_PAIRS: Final = 500_000
MAX_WORD_PAIRS: Final = 1_000_000
# A comparison of two short lines costs this much at least.
LINE_COST: Final = 50
SIMILAR: Final = 0.3
_WORDS: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a line; `changed` when the line opposite has something else there."""

    text: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Side:
    """One line of one version; numbers count from 1."""

    number: int
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a split view. `before` or `after` is None where a line exists on one side only."""

    change: Change
    before: Side | None
    after: Side | None


@dataclass(frozen=True, slots=True)
class Gap:
    """Rows without a change that a view may fold away."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a unified view; `sign` is "+", "−" or empty."""

    change: Literal["same", "added", "removed"]
    side: Side
    before_number: int | None
    after_number: int | None

    @property
    def sign(self) -> str:
        return {"same": "", "added": "+", "removed": "−"}[self.change]


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a version, compared."""

    key: str
    title: str
    rows: tuple[Row, ...]

    @property
    def added(self) -> int:
        return sum(row.change in ("added", "changed") for row in self.rows)

    @property
    def removed(self) -> int:
        return sum(row.change in ("removed", "changed") for row in self.rows)

    @property
    def unchanged(self) -> bool:
        return self.added == self.removed == 0

    @property
    def blocks(self) -> tuple[Row | Gap, ...]:
        """The rows, with long stretches of unchanged ones folded into gaps."""
        return tuple(_fold(self.rows))

    @property
    def lines(self) -> tuple[Line, ...]:
        """The rows as a unified view."""
        return unified(self.rows)


def diff_versions(before: VersionContent, after: VersionContent) -> tuple[Section, ...]:
    """Every part of two versions, compared; unchanged parts are included."""
    sections = [*_message_sections(before, after)]
    for key, title, describe in (
        ("settings", "Model and parameters", _settings_lines),
        ("variables", "Variables", _variable_lines),
        ("schema", "Output schema", _schema_lines),
        ("tools", "Tools", _tool_lines),
    ):
        rows = diff_lines(describe(before), describe(after))
        if rows:
            sections.append(Section(key, title, rows))
    return tuple(sections)


def diff_lines(before: Sequence[str], after: Sequence[str]) -> tuple[Row, ...]:
    """Rows of a split view of two lists of lines."""
    lines = len(before) + len(after)
    if lines > MOST_ROWS:
        return (_whole(before, after),)
    budget = _Budget(MAX_WORD_PAIRS)
    if lines > MAX_LINES or _pairs(before, after) > MAX_LINE_PAIRS:
        return tuple(_replaced(before, after, 0, 0, budget))
    rows: list[Row] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, left, left_end, right, right_end in matcher.get_opcodes():
        if tag == "equal":
            rows.extend(
                Row("same", _plain(left + offset, text, False), _plain(right + offset, text, False))
                for offset, text in enumerate(before[left:left_end])
            )
        else:
            rows.extend(_replaced(before[left:left_end], after[right:right_end], left, right, budget))
    return tuple(rows)


def unified(rows: Iterable[Row]) -> tuple[Line, ...]:
    """Rows as single lines: within a run of changes first what went, then what came."""
    lines: list[Line] = []
    came: list[Line] = []
    for row in rows:
        if row.change == "same" and row.before and row.after:
            lines.extend(came)
            came.clear()
            lines.append(Line("same", row.after, row.before.number, row.after.number))
            continue
        if row.before:
            lines.append(Line("removed", row.before, row.before.number, None))
        if row.after:
            came.append(Line("added", row.after, None, row.after.number))
    return (*lines, *came)


def summarize(sections: Iterable[Section]) -> str:
    """What changes, in a few words, as "System message and variables change"."""
    titles = [
        section.title if number == 0 else _lower_first(section.title)
        for number, section in enumerate(each for each in sections if not each.unchanged)
    ]
    if not titles:
        return "Nothing changes"
    listed = titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} and {titles[-1]}"
    return f"{listed} {'changes' if len(titles) == 1 and not titles[0].endswith('s') else 'change'}"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _message_sections(before: VersionContent, after: VersionContent) -> Iterator[Section]:
    total = max(len(before.messages), len(after.messages))
    for number, (left, right) in enumerate(_paired_messages(before, after)):
        role = (right or left or {})["role"]
        title = f"{role.capitalize()} message" + (f", number {number + 1}" if total > 2 else "")
        rows = diff_lines(_message_lines(left, right), _message_lines(right, left))
        yield Section(f"message-{number + 1}", title, rows)


def _paired_messages(
    before: VersionContent, after: VersionContent
) -> Iterator[tuple[dict[str, Any] | None, dict[str, Any] | None]]:
    """Messages side by side: those of the same role in the same order belong together."""
    roles = [message["role"] for message in before.messages], [message["role"] for message in after.messages]
    matcher = difflib.SequenceMatcher(None, *roles, autojunk=False)
    for _, left, left_end, right, right_end in matcher.get_opcodes():
        for offset in range(max(left_end - left, right_end - right)):
            yield (
                before.messages[left + offset] if left + offset < left_end else None,
                after.messages[right + offset] if right + offset < right_end else None,
            )


def _message_lines(message: dict[str, Any] | None, other: dict[str, Any] | None) -> list[str]:
    if message is None:
        return []
    lines = str(message["content"]).split("\n")
    if other is not None and other["role"] != message["role"]:
        return [f"role: {message['role']}", *lines]
    return lines


def _settings_lines(content: VersionContent) -> list[str]:
    model = [f"model: {content.model}"] if content.model else []
    return [*model, *(f"{name}: {_json(value)}" for name, value in sorted(content.parameters.items()))]


def _variable_lines(content: VersionContent) -> list[str]:
    return [_variable_line(variable) for variable in content.variables]


def _variable_line(variable: dict[str, Any]) -> str:
    line = f"{variable['name']}: {variable['type']}"
    if "default" in variable:
        return f"{line}, default {_json(variable['default'])}"
    return line if variable["required"] else f"{line}, optional"


def _schema_lines(content: VersionContent) -> list[str]:
    if content.output_schema is None:
        return []
    return _pretty_lines(content.output_schema)


def _tool_lines(content: VersionContent) -> list[str]:
    return [line for tool in content.tools for line in _pretty_lines(tool["function"])]


def _pretty_lines(value: Any) -> list[str]:
    # The database keeps no order of keys, so an order that differs is no difference.
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode().split("\n")


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _pairs(before: Sequence[str], after: Sequence[str]) -> int:
    """How many pairs of equal parts two sides have."""
    counts = Counter(after)
    return sum(count * counts[part] for part, count in Counter(before).items())


def _whole(before: Sequence[str], after: Sequence[str]) -> Row:
    """Two texts of more lines than anybody reads, side by side as they are."""
    change: Change = "same" if before == after else "changed"
    is_changed = change == "changed"
    return Row(change, *(_plain(0, "\n".join(lines), is_changed) for lines in (before, after)))


@dataclass(slots=True)
class _Budget:
    """How many pairs of words may still be looked at; then lines are told to differ, and not where."""

    left: int

    def allows(self, old: Sequence[str], new: Sequence[str]) -> bool:
        """Whether two lines may be compared by word; takes what that costs."""
        if self.left <= 0 or len(old) + len(new) > MAX_WORDS:
            return False
        self.left -= LINE_COST + _pairs(old, new)
        return self.left >= 0


def _replaced(
    before: Sequence[str], after: Sequence[str], left: int, right: int, budget: _Budget
) -> Iterator[Row]:
    """Rows for a stretch that differs: lines that resemble each other side by side, others alone."""
    for offset in range(max(len(before), len(after))):
        old = before[offset] if offset < len(before) else None
        new = after[offset] if offset < len(after) else None
        if old is None and new is not None:
            yield Row("added", None, _plain(right + offset, new, False))
        elif new is None and old is not None:
            yield Row("removed", _plain(left + offset, old, False), None)
        elif old is not None and new is not None:
            yield _changed(old, new, left + offset, right + offset, budget)


def _changed(old: str, new: str, left: int, right: int, budget: _Budget) -> Row:
    old_words, new_words = _WORDS.findall(old), _WORDS.findall(new)
    if not budget.allows(old_words, new_words):
        return Row("changed", _plain(left, old, True), _plain(right, new, True))
    matcher = difflib.SequenceMatcher(None, old_words, new_words, autojunk=False)
    codes = matcher.get_opcodes()
    kept = sum(bool(old_words[i].strip()) for tag, a, b, _, _ in codes if tag == "equal" for i in range(a, b))
    if kept * 2 < SIMILAR * sum(bool(word.strip()) for word in (*old_words, *new_words)):
        return Row("changed", _plain(left, old, True), _plain(right, new, True))
    before = [Piece("".join(old_words[a:b]), tag != "equal") for tag, a, b, _, _ in codes if b > a]
    after = [Piece("".join(new_words[c:d]), tag != "equal") for tag, _, _, c, d in codes if d > c]
    return Row("changed", Side(left + 1, _joined(before)), Side(right + 1, _joined(after)))


def _joined(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Blanks between two changed words belong to the change; neighbours of one kind become one piece."""
    joined: list[Piece] = []
    for index, piece in enumerate(pieces):
        inside = 0 < index < len(pieces) - 1 and not piece.text.strip()
        changed = piece.changed or (inside and pieces[index - 1].changed and pieces[index + 1].changed)
        if joined and joined[-1].changed == changed:
            joined[-1] = Piece(joined[-1].text + piece.text, changed)
        else:
            joined.append(Piece(piece.text, changed))
    return tuple(joined)


def _plain(index: int, text: str, changed: bool) -> Side:
    return Side(index + 1, (Piece(text, changed),))


def _fold(rows: Sequence[Row]) -> Iterator[Row | Gap]:
    kept = [False] * len(rows)
    for index, row in enumerate(rows):
        if row.change != "same":
            start, end = max(index - CONTEXT_LINES, 0), index + CONTEXT_LINES + 1
            kept[start:end] = [True] * len(kept[start:end])
    hidden: list[Row] = []
    for row, keep in zip(rows, kept, strict=True):
        if not keep:
            hidden.append(row)
            continue
        yield from _gap(hidden)
        hidden = []
        yield row
    yield from _gap(hidden)


def _gap(hidden: list[Row]) -> Iterator[Row | Gap]:
    """A gap of one or two rows would not save room."""
    if len(hidden) > 2:
        yield Gap(tuple(hidden))
    else:
        yield from hidden
