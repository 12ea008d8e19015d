"""What several calls of one run cost together."""

from decimal import Decimal

import pytest

from apps.providers.pricing import Price
from apps.runs.charges import summed

REAL = Price("priced", Decimal("0.5"), {"source": "own"})
OTHER = Price("priced", Decimal("0.25"))
SANDBOX = Price("sandbox", Decimal("0.125"))
UNKNOWN = Price("unknown", None)


@pytest.mark.parametrize(
    ("prices", "status", "amount"),
    [
        ([REAL, OTHER], "priced", "0.75"),
        ([REAL, SANDBOX], "priced", "0.5"),
        ([SANDBOX, REAL], "priced", "0.5"),
        ([SANDBOX, SANDBOX], "sandbox", "0.25"),
        ([REAL, UNKNOWN], "unknown", None),
        ([SANDBOX, UNKNOWN], "unknown", None),
        ([Price("free", Decimal(0)), SANDBOX], "free", "0"),
    ],
)
def test_summed__what_is_made_up__is_told_and_never_counted_as_real(
    prices: list[Price], status: str, amount: str | None
) -> None:
    total = summed(prices)
    assert (total.status, total.amount) == (status, None if amount is None else Decimal(amount))
    assert [part["status"] for part in total.snapshot["parts"]] == [price.status for price in prices]
