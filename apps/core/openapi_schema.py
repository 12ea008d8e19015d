"""drf-spectacular's reading of views, with what it leaves out of lists of objects."""

from typing import Any

from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from rest_framework.serializers import ListSerializer


class AutoSchema(SpectacularAutoSchema):  # type: ignore[misc]
    """Says how many objects a list may hold."""

    def _map_serializer_field(self, field: Any, direction: str, bypass_extensions: bool = False) -> Any:
        schema = super()._map_serializer_field(field, direction, bypass_extensions)
        if isinstance(field, ListSerializer) and isinstance(schema, dict) and schema.get("type") == "array":
            least = field.min_length or (0 if field.allow_empty else 1)
            bounds = {"minItems": least or None, "maxItems": field.max_length}
            return {**schema, **{name: value for name, value in bounds.items() if value is not None}}
        return schema
