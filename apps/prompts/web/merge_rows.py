"""A merge as rows of its page."""

from collections.abc import Mapping
from typing import Any, Final

from apps.prompts.merging import Chunk, Field, Line, Mark, Merge

CONTEXT: Final = 3
_BY: Final = {"theirs": "theirs", "mine": "yours", "equal": "both alike"}


def merge_context(merge: Merge, choices: Mapping[str, str]) -> dict[str, Any]:
    """What the page shows: the messages as stretches, and the fields that differ."""
    changed = [field for field in merge.fields if field.origin != "base"]
    return {
        "chunks": [_chunk(each, choices) for each in merge.chunks],
        "fields": [_field(each, choices) for each in changed],
        "overlaps": len(merge.overlaps),
    }


def _chunk(chunk: Chunk, choices: Mapping[str, str]) -> dict[str, Any]:
    kind = {"base": "same", "overlap": "overlap"}.get(chunk.origin, "merged")
    body: dict[str, Any] = {
        "key": chunk.key,
        "kind": kind,
        "by": _BY.get(chunk.origin, ""),
        "choice": choices.get(chunk.key, "mine"),
    }
    if kind == "same":
        return body | _folded(chunk.base)
    if kind == "overlap":
        sides = (("theirs", "Theirs", chunk.theirs), ("mine", "Yours", chunk.mine))
        return body | {
            "base": _shown(chunk.base),
            "sides": [{"value": value, "name": name, "lines": _shown(lines)} for value, name, lines in sides],
        }
    return body | {"removed": _shown(chunk.base), "added": _shown(chunk.taken("mine"))}


def _folded(lines: tuple[Line, ...]) -> dict[str, Any]:
    """Unchanged lines, of which a long stretch shows its two ends."""
    if len(lines) <= 2 * CONTEXT + 2:
        return {"head": _shown(lines), "hidden": 0, "tail": []}
    return {
        "head": _shown(lines[:CONTEXT]),
        "hidden": len(lines) - 2 * CONTEXT,
        "tail": _shown(lines[-CONTEXT:]),
    }


def _shown(lines: tuple[Line, ...]) -> list[dict[str, Any]]:
    return [
        {"role": line.role, "text": f"{line.role.capitalize()} message"}
        if isinstance(line, Mark)
        else {"text": line}
        for line in lines
    ]


def _field(field: Field, choices: Mapping[str, str]) -> dict[str, Any]:
    return {
        "key": field.key,
        "title": field.title,
        "overlap": field.origin == "overlap",
        "by": _BY.get(field.origin, ""),
        "base": field.base,
        "theirs": field.theirs,
        "mine": field.mine,
        "taken": field.taken("mine"),
        "choice": choices.get(field.key, "mine"),
    }
