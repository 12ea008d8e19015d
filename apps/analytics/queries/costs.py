"""Where the money goes: costs by one or two dimensions. Inside the organization's scope."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from apps.analytics import metrics
from apps.analytics.dimensions import DIMENSIONS
from apps.analytics.metrics import NOTHING, Sums
from apps.analytics.queries.names import groups_of
from apps.analytics.queries.shapes import EVERYTHING, OTHERS, REST, Group
from apps.analytics.queries.statements import Asked, add_up_by_key
from apps.core.errors import InvalidRequest

MOST_ROWS: Final = 100
MOST_COLUMNS: Final = 12
BY: Final = tuple(each.key for each in DIMENSIONS.values() if not each.of_errors)


@dataclass(frozen=True, slots=True)
class Cost:
    """What some requests cost.

    ``amount`` sums the known prices and is None where there is none; ``unknown_price`` counts what it leaves
    out. ``share`` is of all known costs, None where they are nothing.
    """

    amount: Decimal | None
    unknown_price: int
    requests: int
    share: float | None


@dataclass(frozen=True, slots=True)
class CostRow:
    """One group with its cost by column, in the columns' order, and altogether."""

    group: Group
    cells: tuple[Cost, ...]
    total: Cost


@dataclass(frozen=True, slots=True)
class CostTable:
    """Costs by a dimension, and by a second one across; the dearest first, all others together last."""

    columns: tuple[Group, ...]
    rows: tuple[CostRow, ...]
    totals: tuple[Cost, ...]
    total: Cost


def costs(
    asked: Asked, *, rows: str, columns: str | None = None, most: int = 10, most_columns: int = 6
) -> CostTable:
    """What the period cost, by one or two dimensions; one statement, and one for the names of each.

    Raises InvalidRequest for dimensions that money can't be split by.
    """
    _check(rows, columns, most, most_columns)
    found = add_up_by_key(asked, asked.period.parts(), (rows, columns) if columns else (rows,))
    sums = {(key[0], key[1] if columns else ""): each for (key, _), each in found.items()}
    down = _groups(rows, _ranked(sums, 0), most)
    across = _groups(columns, _ranked(sums, 1), most_columns) if columns else {"": EVERYTHING}
    folded: dict[tuple[str, str], Sums] = {}
    for (row, column), each in sums.items():
        place = _at(row, down), _at(column, across)
        folded[place] = folded.get(place, NOTHING) + each
    whole = metrics.total(folded.values())
    return CostTable(
        tuple(across.values()),
        tuple(
            CostRow(
                group,
                tuple(_cost(folded.get((row, column), NOTHING), whole) for column in across),
                _cost(_sum_of(folded, row=row), whole),
            )
            for row, group in down.items()
        ),
        tuple(_cost(_sum_of(folded, column=column), whole) for column in across),
        _cost(whole, whole),
    )


def _check(rows: str, columns: str | None, most: int, most_columns: int) -> None:
    if rows not in BY:
        raise InvalidRequest(f"rows is one of {', '.join(BY)}.", param="rows")
    if columns is not None and (columns not in BY or columns == rows):
        raise InvalidRequest(f"columns is another one of {', '.join(BY)}.", param="columns")
    if not (1 <= most <= MOST_ROWS and 1 <= most_columns <= MOST_COLUMNS):
        raise InvalidRequest(f"most is a whole number from 1 to {MOST_ROWS}.", param="most")


def _ranked(sums: Mapping[tuple[str, str], Sums], place: int) -> list[str]:
    """The values of one dimension, the dearest first; of equal cost what was asked more often."""
    totals: dict[str, tuple[Decimal, int]] = {}
    for key, each in sums.items():
        cost, requests = totals.get(key[place], (Decimal(0), 0))
        totals[key[place]] = cost + each.cost, requests + each.requests
    return sorted(totals, key=lambda key: (-totals[key][0], -totals[key][1], key))


def _groups(dimension: str, ranked: Sequence[str], most: int) -> dict[str, Group]:
    groups = groups_of(dimension, ranked[:most])
    return {**groups, REST: OTHERS} if len(ranked) > most else groups


def _at(key: str, groups: Mapping[str, Group]) -> str:
    return key if key in groups else REST


def _sum_of(
    folded: Mapping[tuple[str, str], Sums], *, row: str | None = None, column: str | None = None
) -> Sums:
    return metrics.total(
        each
        for (at_row, at_column), each in folded.items()
        if row in (None, at_row) and column in (None, at_column)
    )


def _cost(sums: Sums, whole: Sums) -> Cost:
    amount = metrics.value("cost", sums)
    share = float(sums.cost / whole.cost) if whole.cost and amount is not None else None
    known = amount if isinstance(amount, Decimal) else None
    return Cost(known, sums.unknown_price, sums.requests, share)
