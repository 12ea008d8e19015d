"""JSON Schemas that customers write: checked before they are stored. Pure."""

from typing import Any, Final

import jsonschema_rs
import orjson

from apps.core.errors import InvalidRequest

MAX_SCHEMA_BYTES: Final = 64 * 1024
MAX_SCHEMA_DEPTH: Final = 64


def check_schema(schema: Any, *, name: str, param: str) -> dict[str, Any]:
    """The schema as it came, once it is known to be a JSON Schema that needs nothing from outside.

    `name` is how a person calls it, as in "The output schema". Raises InvalidRequest ``schema_invalid``.
    """
    check = _Check(name, param)
    if not isinstance(schema, dict):
        raise check.problem("must be a JSON object.")
    try:
        if len(orjson.dumps(schema)) > MAX_SCHEMA_BYTES:
            raise check.problem(f"exceeds {MAX_SCHEMA_BYTES // 1024} KiB.")
    except TypeError:
        raise check.problem("is not plain JSON.") from None
    check.refuse_remote(schema, MAX_SCHEMA_DEPTH)
    try:
        # The linear regular-expression engine: a customer's pattern must not be able to run for ever.
        jsonschema_rs.validator_for(schema, pattern_options=jsonschema_rs.RegexOptions(), offline=True)
    except (ValueError, jsonschema_rs.ValidationError) as error:
        reason = str(error).split("\n", 1)[0][:300]
        raise check.problem(f"is not valid JSON Schema: {reason}") from None
    return schema


class _Check:
    def __init__(self, name: str, param: str) -> None:
        self._name = name
        self._param = param

    def problem(self, text: str) -> InvalidRequest:
        return InvalidRequest(f"{self._name} {text}", code="schema_invalid", param=self._param)

    def refuse_remote(self, node: Any, depth: int) -> None:
        """Only references within the schema: another one would be fetched over the network."""
        if depth == 0:
            raise self.problem("is nested too deeply.")
        if isinstance(node, dict):
            for key, item in node.items():
                if key in ("$ref", "$dynamicRef", "$recursiveRef") and not str(item).startswith("#"):
                    raise self.problem("may hold only a $ref that begins with #.")
                # A property may well be called $id; only a text there is an identifier.
                if key == "$id" and isinstance(item, str):
                    raise self.problem("cannot hold $id.")
                self.refuse_remote(item, depth - 1)
        elif isinstance(node, list):
            for item in node:
                self.refuse_remote(item, depth - 1)
