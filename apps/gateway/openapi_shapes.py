"""The small words that the schemas of the gateway's bodies are written in. Pure."""

from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}
COUNT_OR_NULL: Final[Schema] = {"type": ["integer", "null"], "minimum": 0}
OBJECT: Final[Schema] = {"type": "object"}
BOOLEAN: Final[Schema] = {"type": "boolean"}


def reference(name: str) -> Schema:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def object_of(properties: Schema, required: tuple[str, ...] = (), *, closed: bool = False) -> Schema:
    """An object with these properties; a closed one has no others."""
    schema: Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    if closed:
        schema["additionalProperties"] = False
    return schema


def answer_of(properties: Schema) -> Schema:
    """An answer's fields are all there."""
    return object_of(properties, tuple(properties))


def list_of(item: Schema, most: int | None = None) -> Schema:
    """A list of items, at most so many."""
    return {"type": "array", "items": item} | ({"maxItems": most} if most else {})


def nullable(properties: Schema) -> Schema:
    """A body's fields: null is as good as leaving one out."""
    return {name: or_null(schema) for name, schema in properties.items()}


def or_null(schema: Schema) -> Schema:
    """The schema, or null."""
    kinds = schema.get("type")
    if isinstance(kinds, list) and "null" in kinds:
        return schema
    about = {"description": schema["description"]} if "description" in schema else {}
    bare = {name: value for name, value in schema.items() if name != "description"}
    return {**about, "anyOf": [*bare.get("anyOf", [bare]), {"type": "null"}]}


def number(low: float, high: float) -> Schema:
    """A number between two bounds."""
    return {"type": "number", "minimum": low, "maximum": high}


def integer(low: int, high: int) -> Schema:
    """A whole number between two bounds."""
    return {"type": "integer", "minimum": low, "maximum": high}
