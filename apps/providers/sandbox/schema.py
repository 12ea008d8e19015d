"""Fills a JSON Schema from a subject: always valid against the schema, or refused."""

import json
import math
from functools import lru_cache
from typing import Any, Final

import jsonschema_rs
import orjson

from apps.providers.sandbox import choices, phrasing
from apps.providers.sandbox.text import Subject

DEEPEST: Final = 12
MOST_STEPS: Final = 3_000  # a hostile schema of nested alternatives would take years without a bound
MOST_CHARACTERS: Final = 200_000
OPTIONAL_DEPTH: Final = 5  # deeper than this only required fields are filled, which ends recursive schemas
MOST_ITEMS: Final = 1_000
_PATTERN_CANDIDATES: Final = (
    "en",
    "A",
    "a",
    "1",
    "0",
    "abc",
    "ABC",
    "1234",
    "2026-01-01",
    "A-1",
    "AB-1234",
    "#000000",
    "+15550100",
)
_SCORES: Final = frozenset(
    ["rating", "stars", "star", "score", "sentiment", "satisfaction", "polarity", "nps"]
)
_CERTAINTIES: Final = frozenset(["confidence", "probability", "certainty", "likelihood"])

Schema = dict[str, Any]


class Unfillable(ValueError):
    """The schema asks for something that the sandbox can't make up."""


def fill(schema: Schema, subject: Subject, sentences: int = 1) -> Any:
    """A value that is valid against the schema. Raises Unfillable."""
    value = _Filler(schema, subject, sentences).value(schema, "", 0)
    if not _validator(orjson.dumps(schema)).is_valid(value):
        raise Unfillable("the sandbox can't make up an answer that fits this schema")
    return value


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Any:
    try:
        return jsonschema_rs.validator_for(
            orjson.loads(schema),
            retriever=_refuse,
            pattern_options=jsonschema_rs.RegexOptions(),  # linear time
        )
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as problem:
        raise Unfillable(f"not a usable JSON Schema: {problem}") from problem


def _refuse(uri: str) -> Any:
    raise Unfillable(f"$ref to {uri} is not supported")


class _Filler:
    def __init__(self, root: Schema, subject: Subject, sentences: int) -> None:
        self.root = root
        self.subject = subject
        self.sentences = sentences
        self.steps = 0
        self.characters = 0

    def value(self, schema: Any, name: str, depth: int, turn: int = 0) -> Any:
        if depth > DEEPEST:
            raise Unfillable("the schema is nested too deeply")
        schema = self.resolved(schema)
        hint = phrasing.hint_words(name, str(schema.get("description", "")), str(schema.get("title", "")))
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self.choice(schema["enum"], hint, turn)
        for key in ("anyOf", "oneOf"):
            if schema.get(key):
                return self.alternative(schema, key, name, depth, turn)
        return self.typed(schema, name, hint, depth, turn)

    def resolved(self, schema: Any, depth: int = 0) -> Schema:
        """The schema with references followed and allOf merged into one."""
        self.steps += 1
        if self.steps > MOST_STEPS or depth > DEEPEST:
            raise Unfillable("the schema is too large or its references do not end")
        if schema is False:
            raise Unfillable("the schema allows no value")
        if not isinstance(schema, dict):
            return {"type": "string"}
        if "$ref" in schema:
            rest = {key: item for key, item in schema.items() if key != "$ref"}
            return self.resolved(_merged(self.target(schema["$ref"]), rest), depth + 1)
        found: Schema = {key: item for key, item in schema.items() if key != "allOf"}
        for part in schema.get("allOf") or ():
            found = _merged(found, self.resolved(part, depth + 1))
        return found

    def target(self, reference: str) -> Schema:
        if not reference.startswith("#"):
            raise Unfillable(f"$ref to {reference} is not supported")
        node: Any = self.root
        for part in reference[1:].strip("/").split("/") if reference != "#" else ():
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(node, dict) or key not in node:
                raise Unfillable(f"$ref to {reference} points nowhere")
            node = node[key]
        if not isinstance(node, dict):
            raise Unfillable(f"$ref to {reference} is not a schema")
        found: Schema = node
        return found

    def choice(self, options: list[Any], hint: frozenset[str], turn: int) -> Any:
        if None in options and self.nothing_to_say(hint):
            return None
        named = [option for option in options if option is not None]
        if not named:
            return None
        first = choices.choose(named, self.subject, hint)
        if not turn:
            return first
        rest = [option for option in named if option != first]
        return rest[(turn - 1) % len(rest)] if rest else first

    def alternative(self, schema: Schema, key: str, name: str, depth: int, turn: int) -> Any:
        base = {name: item for name, item in schema.items() if name != key}
        options = [_merged(base, self.resolved(option)) for option in schema[key] if option is not False]
        hint = phrasing.hint_words(name, *(str(option.get("description", "")) for option in options))
        empty_first = self.nothing_to_say(hint) or depth >= OPTIONAL_DEPTH
        options.sort(key=lambda option: (option.get("type") == "null") != empty_first)
        for option in options:
            try:
                return self.value(option, name, depth + 1, turn)
            except Unfillable:
                continue
        raise Unfillable(f"none of the alternatives of {name or 'the schema'} can be filled")

    def nothing_to_say(self, hint: frozenset[str]) -> bool:
        return bool(hint & choices.BLAME) and self.subject.score >= 0

    def typed(self, schema: Schema, name: str, hint: frozenset[str], depth: int, turn: int) -> Any:
        match self.type_of(schema, hint, depth):
            case "object":
                return self.object(schema, depth)
            case "array":
                return self.array(schema, name, hint, depth)
            case "string":
                return self.string(schema, hint, turn)
            case "integer" | "number" as kind:
                return self.number(schema, hint, whole=kind == "integer")
            case "boolean":
                return choices.agrees(self.subject, hint)
            case "null":
                return None
            case unknown:
                raise Unfillable(f"unknown type {unknown}")

    def type_of(self, schema: Schema, hint: frozenset[str], depth: int) -> str:
        kinds = schema.get("type", _implied_type(schema))
        if isinstance(kinds, str):
            return kinds
        if "null" in kinds and (self.nothing_to_say(hint) or depth >= OPTIONAL_DEPTH):
            return "null"
        return next((str(kind) for kind in kinds if kind != "null"), "null")

    def object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties: dict[str, Any] = schema.get("properties") or {}
        required = schema.get("required") or []
        names = list(properties) + [name for name in required if name not in properties]
        filled = {}
        for name in names:
            try:
                if name in required or depth < OPTIONAL_DEPTH:
                    filled[name] = self.value(properties.get(name, True), name, depth + 1)
            except Unfillable:
                if name in required:
                    raise
        return filled

    def array(self, schema: Schema, name: str, hint: frozenset[str], depth: int) -> list[Any]:
        fixed = schema.get("prefixItems") or []
        items = [self.value(part, name, depth + 1, turn) for turn, part in enumerate(fixed)]
        least, most = schema.get("minItems", 0), schema.get("maxItems", MOST_ITEMS)
        quiet = self.nothing_to_say(hint) or depth >= OPTIONAL_DEPTH
        wanted = min(max(least, 0 if quiet else min(3, len(self.subject.sentences) or 1)), most, MOST_ITEMS)
        rest = schema.get("items", True)
        turn = len(items)
        while rest is not False and len(items) < wanted and turn < wanted * 2 + 8:
            item = self.value(rest, name, depth + 1, turn)
            if item not in items or (len(items) < least and not schema.get("uniqueItems")):
                items.append(item)
            turn += 1
        return self.padded(items, least)

    def padded(self, items: list[Any], least: int) -> list[Any]:
        if len(items) < least and items and isinstance(items[0], str):
            items.extend(
                f"{items[0]} ({number})" for number in range(2, min(least - len(items), MOST_ITEMS) + 2)
            )
        return items

    def string(self, schema: Schema, hint: frozenset[str], turn: int) -> str:
        text = phrasing.example_of_format(schema.get("format", ""))
        if text is None:
            text = phrasing.write_field(self.subject, hint, turn, self.sentences)
            text = _fitted(text, schema.get("minLength", 0), schema.get("maxLength"))
        if "pattern" in schema:
            text = _matching(schema, [text, *self.subject.keywords, *_PATTERN_CANDIDATES])
        self.characters += len(text)
        if self.characters > MOST_CHARACTERS:
            raise Unfillable("the schema asks for too much text")
        return text

    def number(self, schema: Schema, hint: frozenset[str], *, whole: bool) -> float | int:
        low, high = _bounds(schema, whole=whole)
        step = schema.get("multipleOf") or (1 if whole else None)
        value = self.wish(low, high, hint)
        if step:
            value = round(value / step) * step
            value = math.ceil(low / step) * step if low is not None and value < low else value
            value = math.floor(high / step) * step if high is not None and value > high else value
        return round(value) if whole else round(value, 6)

    def wish(self, low: float | None, high: float | None, hint: frozenset[str]) -> float:
        if hint & choices.BLAME:
            share = choices.degree(self.subject, hint)
        elif hint & _CERTAINTIES:
            share = 0.5 + abs(self.subject.score) / 2
            low, high = (0.0 if low is None else low), (1.0 if high is None else high)
        else:
            share = (self.subject.score + 1) / 2
            if hint & _SCORES:
                low, high = (1.0 if low is None else low), (5.0 if high is None else high)
        if low is not None and high is not None:
            return low + share * (high - low)
        counted = float(len(self.subject.sentences))
        return max(counted, low) if low is not None else min(counted, high if high is not None else counted)


def _merged(first: Schema, second: Schema) -> Schema:
    both = first | second
    if "properties" in first and "properties" in second:
        both["properties"] = first["properties"] | second["properties"]
    if "required" in first and "required" in second:
        both["required"] = [*first["required"], *second["required"]]
    return both


def _implied_type(schema: Schema) -> str:
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "number" if {"minimum", "maximum", "multipleOf"} & schema.keys() else "string"


def _bounds(schema: Schema, *, whole: bool) -> tuple[float | None, float | None]:
    nudge = 1 if whole else 1e-6
    lows = [schema.get("minimum"), _moved(schema.get("exclusiveMinimum"), nudge)]
    highs = [schema.get("maximum"), _moved(schema.get("exclusiveMaximum"), -nudge)]
    low = max((bound for bound in lows if bound is not None), default=None)
    high = min((bound for bound in highs if bound is not None), default=None)
    if low is not None and high is not None and low > high:
        raise Unfillable("a number's bounds exclude each other")
    return low, high


def _moved(bound: float | None, by: float) -> float | None:
    return None if bound is None else bound + by


def _fitted(text: str, least: int, most: int | None) -> str:
    if least > MOST_CHARACTERS:
        raise Unfillable("the schema asks for too much text")
    while len(text) < least:
        text = f"{text} {text}" if text else "…"
    return text if most is None else text[: max(most, 0)]


def _matching(schema: Schema, candidates: list[str]) -> str:
    keys = ("pattern", "minLength", "maxLength", "format")
    validator = _validator(json.dumps({key: schema[key] for key in keys if key in schema}).encode())
    for candidate in candidates:
        if validator.is_valid(candidate):
            return candidate
    raise Unfillable(f"the sandbox can't make up a text for the pattern {schema['pattern']}")
