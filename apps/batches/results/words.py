"""How a row's outcome is written, in files and answers alike. Pure."""

from decimal import Decimal
from typing import Any, Protocol

from apps.batches.models import CostStatus
from apps.core.json_bodies import dump_json


class Ended(Protocol):
    """What is read of a row's end."""

    @property
    def matches(self) -> bool | None: ...
    @property
    def error_code(self) -> str: ...
    @property
    def error_message(self) -> str: ...


def match_word(row: Ended) -> str:
    """ "match", "differs", or "" where nothing was compared."""
    if row.matches is None:
        return ""
    return "match" if row.matches else "differs"


def error_json(row: Ended) -> dict[str, str] | None:
    """Why a row failed, if it did."""
    if not row.error_code:
        return None
    return {"code": row.error_code, "message": row.error_message}


def cost_text(cost: Decimal | None, status: str) -> str:
    """A cost as plain digits; "unknown" is spelled out and never 0."""
    if status == CostStatus.UNKNOWN:
        return "unknown"
    return "" if cost is None else plain_digits(cost)


def plain_digits(amount: Decimal) -> str:
    """An amount without exponent and without zeros at the end."""
    return f"{amount.normalize():f}"


def value_text(value: Any) -> str:
    """A value in a cell: text as it is, nothing for null, JSON for the rest."""
    if value is None:
        return ""
    return value if isinstance(value, str) else dump_json(value).decode()
