"""Money in bodies."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


@extend_schema_field({"type": "string", "pattern": r"^\d{1,10}(\.\d{1,10})?$"})
class MoneyField(serializers.DecimalField):
    """US dollars as a decimal text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=20, decimal_places=10, **kwargs)
