"""Columns that Django has no field for."""

from typing import TYPE_CHECKING

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:
    Number = models.FloatField[float, float]
    Text = models.Field[str, str]
else:  # Django's classes take no arguments when they run.
    Number, Text = models.FloatField, models.Field


class RealField(Number):
    """A number of four bytes, as embeddings come."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        """See Field.db_type."""
        return "real"


class BitStringField(Text):
    """Bits of any number, as a text of zeros and ones."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        """See Field.db_type."""
        return "bit varying"
