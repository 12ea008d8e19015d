"""Extensions of Postgres that the product can do without."""

from typing import Final

from django.db import connection

VECTOR: Final = "vector"
"""pgvector: what the semantic cache compares by. It is off without it."""


def has_extension(name: str) -> bool:
    """Whether the database has an extension, installed and not merely at hand."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = %s)", [name])
        return bool(cursor.fetchone()[0])
