"""Columns that Django has no field for."""

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class RealField(models.FloatField):
    """A number of four bytes, as embeddings come."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        """See Field.db_type."""
        return "real"


class BitStringField(models.Field):
    """Bits of any number, as a text of zeros and ones."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        """See Field.db_type."""
        return "bit varying"
