"""The form of an example in the gallery."""

from dataclasses import dataclass
from typing import Any, Final

from apps.prompts.types import VersionContent

SANDBOX_MODEL: Final = "sandbox/standard"


@dataclass(frozen=True, slots=True)
class TestRow:
    """One row of an example's dataset; `expected` is what a good answer says, where one can say it."""

    # Not a test, whatever pytest makes of the name.
    __test__ = False

    variables: dict[str, Any]
    expected: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt that can be installed, with its test rows. `key` is its place in addresses."""

    key: str
    title: str
    icon: str
    name: str
    description: str
    use: str
    content: VersionContent
    dataset: str
    rows: tuple[TestRow, ...]


def messages(system: str, user: str) -> tuple[dict[str, Any], ...]:
    """A system and a user message, without the line ends that only the source has."""
    return (
        {"role": "system", "content": _flowing(system.strip())},
        {"role": "user", "content": user.strip()},
    )


def _flowing(source: str) -> str:
    """Each paragraph and each item on one line: the source is broken to a width, a prompt is not."""
    lines: list[str] = []
    for line in source.split("\n"):
        goes_on = line.startswith("  ") or (
            bool(line) and _is_prose(line) and bool(lines) and _is_prose(lines[-1])
        )
        if goes_on and lines:
            lines[-1] = f"{lines[-1]} {line.strip()}"
        else:
            lines.append(line)
    return "\n".join(lines)


def _is_prose(line: str) -> bool:
    return bool(line) and line[0] not in "-{<" and not line[0].isdigit()


def variable(name: str, sample: Any, kind: str = "text", **more: Any) -> dict[str, Any]:
    """A variable's declaration: required unless it has a default or says otherwise."""
    return {"name": name, "type": kind, "required": "default" not in more, "sample": sample} | more


def schema(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    """An object's JSON Schema in which everything is required but what is named optional."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def text(description: str, **more: Any) -> dict[str, Any]:
    """A text property."""
    return {"type": "string", "description": description, **more}


def texts(description: str, **more: Any) -> dict[str, Any]:
    """A list of texts."""
    return {"type": "array", "items": {"type": "string"}, "description": description, **more}
