"""The OpenAPI document of the whole API, made once a process."""

from functools import lru_cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator

Document = dict[str, Any]


@lru_cache(maxsize=1)
def openapi_document() -> Document:
    """The document as ``/api/v1/openapi.json`` gives it."""
    generator: Any = SchemaGenerator
    document: Document = generator().get_schema(request=None, public=True)
    return document
