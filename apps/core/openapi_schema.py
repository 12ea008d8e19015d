"""drf-spectacular's reading of views, with what it leaves out of lists of objects."""

from typing import Any

from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from rest_framework.serializers import ListSerializer


class AutoSchema(SpectacularAutoSchema):
    """Says how many objects a list may hold."""

    def _map_serializer_field(self, field: Any, direction: str, bypass_extensions: bool = False) -> Any:
        mapped: Any = super()._map_serializer_field
        schema = mapped(field, direction, bypass_extensions)
        if isinstance(field, ListSerializer) and isinstance(schema, dict) and schema.get("type") == "array":
            bounded: Any = field
            least = bounded.min_length or (0 if bounded.allow_empty else 1)
            bounds = {"minItems": least or None, "maxItems": bounded.max_length}
            return {**schema, **{name: value for name, value in bounds.items() if value is not None}}
        return schema
