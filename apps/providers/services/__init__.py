"""Writes of connections, model aliases, default models and own prices."""

from apps.providers.services.aliases import change_alias, create_alias, delete_alias
from apps.providers.services.connections import (
    create_connection,
    delete_connection,
    store_test_result,
    update_connection,
)
from apps.providers.services.default_models import set_default_model
from apps.providers.services.prices import create_price, end_price

__all__ = [
    "change_alias",
    "create_alias",
    "create_connection",
    "create_price",
    "delete_alias",
    "delete_connection",
    "end_price",
    "set_default_model",
    "store_test_result",
    "update_connection",
]
