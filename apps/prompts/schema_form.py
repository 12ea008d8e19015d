"""A JSON Schema of an object as rows of a form, and back without loss. Pure.

The form knows a property's name, type, whether it is required, its description and an enumeration of texts.
Everything else that a schema says stays as it is; a row names what it can't show.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

TYPES: Final = ("string", "number", "integer", "boolean", "array", "object", "null")
OTHER: Final = ""
"""The type of a row whose schema has none, or several: it can only be seen as JSON."""

_SHOWN: Final = frozenset({"type", "description"})
_EMPTY: Final[dict[str, Any]] = {"type": "object", "properties": {}, "additionalProperties": False}


@dataclass(frozen=True, slots=True)
class Property:
    """One row. `was` is the property's name in the schema that the row was made from.

    `values` is the enumeration, None where it can't be shown; `hidden` names the keywords that the form
    doesn't show.
    """

    name: str
    was: str = ""
    type: str = "string"
    required: bool = True
    description: str = ""
    values: tuple[str, ...] | None = ()
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SchemaForm:
    """A schema as rows; or, when `refusal` is not empty, why it can only be edited as JSON."""

    properties: tuple[Property, ...] = ()
    hidden: tuple[str, ...] = ()
    refusal: str = ""


def read_schema(schema: Any) -> SchemaForm:
    """A schema as rows of a form; None is an empty form."""
    if schema is None:
        return SchemaForm()
    if not isinstance(schema, dict):
        return SchemaForm(refusal="The form shows objects; this is another JSON value.")
    kind = schema.get("type", "object")
    if kind != "object" or not isinstance(schema.get("properties", {}), dict):
        return SchemaForm(
            refusal="The form shows objects with properties; this schema describes something else."
        )
    if any({"\n", "\r"} & set(name) for name in schema.get("properties", {})):
        return SchemaForm(refusal="A property's name holds a line end, which the form can't show.")
    required = schema.get("required", [])
    if not isinstance(required, list):
        return SchemaForm(refusal="required is not a list here, so the form can't show it.")
    rows = tuple(
        _property(name, body, name in required) for name, body in schema.get("properties", {}).items()
    )
    known = {"type", "properties", "required", "additionalProperties"}
    return SchemaForm(rows, tuple(key for key in schema if key not in known))


def write_schema(schema: Any, rows: Sequence[Property]) -> dict[str, Any] | None:
    """The schema with what the rows say; everything the rows don't show stays, and an unchanged form
    gives an equal schema. No rows and no schema give None."""
    if not isinstance(schema, dict):
        if not rows:
            return None
        schema = _EMPTY
    before = schema.get("properties", {})
    properties: dict[str, Any] = {}
    required: list[str] = []
    for row in rows:
        kept = row.name == row.was and row.was in before
        name = _free_name(row.name if kept else row.name.strip() or row.was or "property", properties)
        properties[name] = _written(before.get(row.was), row)
        if row.required:
            required.append(name)
    return _with_properties(schema, properties, _required(schema, rows, properties, required))


def new_property(rows: Sequence[Property]) -> Property:
    """A row to begin with, under a name that is free."""
    return Property(_free_name("property", {row.name: None for row in rows}))


def _property(name: str, body: Any, required: bool) -> Property:
    if not isinstance(body, dict):
        return Property(name, name, OTHER, required, "", None, ("the whole property",))
    kind, values = body.get("type"), body.get("enum", [])
    described = body.get("description", "")
    texts = isinstance(values, list) and all(_is_line(each) for each in values)
    texts = texts and len(set(values)) == len(values)
    plain = isinstance(described, str) and "\r" not in described
    hidden = [key for key in body if key not in _SHOWN and not (key == "enum" and texts)]
    return Property(
        name=name,
        was=name,
        type=kind if kind in TYPES and isinstance(kind, str) else OTHER,
        required=required,
        description=described if plain else "",
        values=tuple(values) if texts else None,
        hidden=(*hidden, *([] if plain else ["description"])),
    )


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and not {"\n", "\r"} & set(value)


def _written(body: Any, row: Property) -> Any:
    if body is None:
        return _new(row)
    if not isinstance(body, dict):
        return body
    shown = _property(row.was, body, row.required)
    result = dict(body)
    if row.type != shown.type and row.type in TYPES:
        result["type"] = row.type
    if row.description != shown.description:
        _set(result, "description", row.description)
    if shown.values is not None and row.values is not None and row.values != shown.values:
        _set(result, "enum", list(row.values))
    return result


def _new(row: Property) -> dict[str, Any]:
    body: dict[str, Any] = {"type": row.type if row.type in TYPES else "string"}
    _set(body, "description", row.description)
    _set(body, "enum", list(row.values or ()))
    return body


def _set(body: dict[str, Any], key: str, value: Any) -> None:
    if value:
        body[key] = value
    else:
        body.pop(key, None)


def _required(
    schema: Mapping[str, Any], rows: Sequence[Property], properties: Mapping[str, Any], wanted: list[str]
) -> list[str]:
    """The names in the order that they had, names that no property has included, then the new ones."""
    renamed = {row.was: name for row, name in zip(rows, properties, strict=True) if row.was}
    before = [each for each in schema.get("required", []) if isinstance(each, str)]
    gone = set(schema.get("properties", {})) - set(renamed)
    kept = [renamed.get(each, each) for each in before if each not in gone]
    kept = [each for each in kept if each in wanted or each not in properties]
    return [*kept, *(each for each in wanted if each not in kept)]


def _with_properties(
    schema: Mapping[str, Any], properties: dict[str, Any], required: list[str]
) -> dict[str, Any]:
    result = dict(schema)
    if properties or "properties" in schema:
        result["properties"] = properties
    if required or "required" in schema:
        result["required"] = required
    return result


def _free_name(name: str, taken: Mapping[str, Any]) -> str:
    """A second row of a name gets a number, so that no row is lost."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free
