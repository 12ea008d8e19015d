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
    """A system and a user message, without the line ends that the source has around them."""
    return (
        {"role": "system", "content": system.strip()},
        {"role": "user", "content": user.strip()},
    )


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
