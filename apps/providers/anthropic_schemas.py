"""Which JSON Schemas Anthropic's structured output takes, and in what form. Pure.

It wants every object closed and knows few bounds. What it does not know is told in the description, and the
answer is checked against the whole schema afterwards in any case.
"""

import re
from typing import Any, Final

import orjson

Schema = dict[str, Any]

# Older models know no structured output: for them a tool takes the answer.
_WITHOUT_STRUCTURED_OUTPUT: Final = re.compile(r"claude-(?:[123]|instant|(?:opus|sonnet)-4-(?:0|2025)|4-)")

_KEPT: Final = frozenset({"type", "enum", "const", "title", "default", "required"})
_TOLD: Final = frozenset(
    {
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "multipleOf",
        "pattern",
        "uniqueItems",
    }
)
_DROPPED: Final = frozenset({"$schema", "$comment", "examples", "description", "additionalProperties"})
_REFERENCE: Final = re.compile(r"#/\$defs/([^/]+)")


class NotNative(ValueError):
    """The schema says what Anthropic's structured output can't."""


def native_schema(model: str, schema: Schema) -> Schema | None:
    """The schema as `output_config.format` takes it, None where a tool has to take the answer."""
    if _WITHOUT_STRUCTURED_OUTPUT.match(model):
        return None
    try:
        return _Converter(schema).converted()
    except (NotNative, RecursionError, AttributeError, TypeError):
        return None


class _Converter:
    def __init__(self, root: Schema) -> None:
        self._definitions: dict[str, Any] = root.get("$defs") or {}
        self._root = {name: value for name, value in root.items() if name != "$defs"}
        self._open: list[str] = []

    def converted(self) -> Schema:
        native = self._node(self._root)
        if self._definitions:
            native["$defs"] = {name: self._node(node) for name, node in self._definitions.items()}
        return native

    def _node(self, node: Any) -> Schema:
        if not isinstance(node, dict):
            raise NotNative
        native: Schema = {name: value for name, value in node.items() if name in _KEPT}
        told = {name: value for name, value in node.items() if name in _TOLD}
        for name, value in node.items():
            if name in _KEPT or name in _TOLD or name in _DROPPED:
                continue
            native |= self._structure(name, value)
        if "properties" in node or _holds(node.get("type"), "object"):
            self._close(node, native)
        description = _described(node.get("description"), told)
        return native | ({"description": description} if description else {})

    def _structure(self, name: str, value: Any) -> Schema:
        match name:
            case "properties":
                return {name: {key: self._node(part) for key, part in value.items()}}
            case "items":
                return {name: self._node(value)}
            case "anyOf" | "oneOf":
                return {"anyOf": [self._node(part) for part in value]}
            case "$ref":
                self._follow(value)
                return {name: value}
        raise NotNative

    def _close(self, node: Schema, native: Schema) -> None:
        # An object that may hold anything would always come empty if it were closed.
        if node.get("additionalProperties") not in (None, False) or not native.get("properties"):
            raise NotNative
        native["additionalProperties"] = False

    def _follow(self, reference: Any) -> None:
        """Refuse a reference that leads back to itself: recursive schemas are not taken."""
        found = _REFERENCE.fullmatch(str(reference))
        if found is None or found[1] not in self._definitions or found[1] in self._open:
            raise NotNative
        self._open.append(found[1])
        self._node(self._definitions[found[1]])
        self._open.pop()


def _holds(kinds: Any, kind: str) -> bool:
    return kind == kinds or (isinstance(kinds, list) and kind in kinds)


def _described(description: Any, told: dict[str, Any]) -> str:
    bounds = ", ".join(f"{name}: {orjson.dumps(value).decode()}" for name, value in told.items())
    return "\n\n".join(part for part in (str(description or ""), bounds and f"{{{bounds}}}") if part)
