"""JSON schemas in words and as examples. Pure."""

from dataclasses import dataclass
from typing import Any, Final

Schema = dict[str, Any]

DEEPEST: Final = 3
EXAMPLES: Final[dict[str, Any]] = {"integer": 1, "number": 0.5, "boolean": True, "null": None}
FORMATS: Final = {
    "date-time": "2026-11-21T09:00:00Z",
    "date": "2026-11-21",
    "uri": "https://example.com/",
    "email": "ada@example.com",
    "decimal": "1.50",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One property as the reference lists it; `depth` says how far it stands in."""

    name: str
    type: str
    required: bool
    text: str
    depth: int


class Schemas:
    """Looks up the named schemas of one document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._named: dict[str, Schema] = document.get("components", {}).get("schemas", {})

    def resolve(self, schema: Schema) -> Schema:
        """The schema itself, whatever it refers to."""
        while "$ref" in schema:
            schema = self._named[schema["$ref"].rpartition("/")[2]]
        parts = schema.get("allOf")
        return self.resolve(parts[0]) if parts and len(parts) == 1 else schema

    def type_of(self, schema: Schema) -> str:
        """A schema's type in words, as in "list of text" or "number or null"."""
        schema = self.resolve(schema)
        choices = schema.get("oneOf") or schema.get("anyOf")
        if choices:
            return " or ".join(dict.fromkeys(self.type_of(each) for each in choices))
        if "enum" in schema:
            return " | ".join("null" if each is None else str(each) for each in schema["enum"])
        if "const" in schema:
            return str(schema["const"])
        kinds = schema.get("type", "any")
        words = [self._word(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds)]
        return " or ".join(words)

    def fields(self, schema: Schema, depth: int = 0) -> list[Field]:
        """The properties of an object, or of a list's objects, and of what they hold."""
        schema = self._object(schema)
        required = set(schema.get("required", ()))
        found: list[Field] = []
        for name, each in schema.get("properties", {}).items():
            whole = self.resolve(each)
            text = each.get("description") or whole.get("description", "")
            found.append(Field(name, self.type_of(each), name in required, limits(whole, text), depth))
            if depth + 1 < DEEPEST:
                found += self.fields(each, depth + 1)
        return found

    def example(self, schema: Schema, *, required_only: bool = True, depth: int = 0) -> Any:
        """A value that the schema takes: required properties only, unless there are none."""
        schema = self.resolve(schema)
        for key in ("example", "default", "const"):
            if schema.get(key) is not None:
                return schema[key]
        if schema.get("enum"):
            return schema["enum"][0]
        choices = schema.get("oneOf") or schema.get("anyOf")
        if choices:
            return self.example(choices[0], depth=depth)
        kind = schema.get("type", "object")
        kind = kind if isinstance(kind, str) else kind[0]
        if kind == "object":
            return self._object_example(schema, required_only, depth)
        if kind == "array":
            return [self.example(schema.get("items", {}), depth=depth + 1)] if depth < DEEPEST else []
        return EXAMPLES.get(kind, FORMATS.get(schema.get("format", ""), "text"))

    def _object_example(self, schema: Schema, required_only: bool, depth: int) -> dict[str, Any]:
        if depth >= DEEPEST:
            return {}
        properties = schema.get("properties", {})
        names = [name for name in properties if name in schema.get("required", ())]
        if not names and not required_only:
            names = list(properties)
        return {name: self.example(properties[name], depth=depth + 1) for name in names}

    def _object(self, schema: Schema) -> Schema:
        schema = self.resolve(schema)
        choices = [each for each in schema.get("oneOf", ()) if self.resolve(each).get("type") != "null"]
        if len(choices) == 1:
            schema = self.resolve(choices[0])
        return (
            self.resolve(schema["items"]) if schema.get("type") == "array" and "items" in schema else schema
        )

    def _word(self, kind: str, schema: Schema) -> str:
        if kind == "array":
            return f"list of {self.type_of(schema.get('items', {}))}"
        words = {"string": "text", "integer": "whole number", "boolean": "true or false"}
        formats = {"date-time": "time", "date": "date", "binary": "file"}
        if kind == "string" and schema.get("format") in formats:
            return formats[schema["format"]]
        return words.get(kind, kind)


def limits(schema: Schema, text: str) -> str:
    """The description with what the schema bounds."""
    words = {
        "minimum": "at least {:,}",
        "maximum": "at most {:,}",
        "maxLength": "at most {:,} characters",
        "maxItems": "at most {:,} of them",
    }
    found = [form.format(schema[name]) for name, form in words.items() if name in schema]
    if schema.get("default") not in (None, "", [], {}):
        found.append(f"{schema['default']} by default")
    bounds = f"{', '.join(found).capitalize()}." if found else ""
    return " ".join(part for part in (text, bounds) if part)
