"""The statements that add roll-ups up. Inside the organization's scope.

Segments are narrowed and put into numbered lines first; the roll-ups then only have to be found by period.
Raw SQL, since histograms and errors are unfolded in it, so each statement names the organization itself too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection

from apps.analytics.dimensions import COLUMNS, DIMENSIONS, NO_FILTERS, Filters
from apps.analytics.metrics import NONE_NEEDED, NUMBERS, Need, Sums
from apps.analytics.periods import Part, Period
from apps.core.scope import current_organization_id

OTHERS: Final = 0
"""The number of the line of everything that has none of its own."""

# What stands for runs without a prompt, a version, a label or a key.
_KEY: Final = {
    each.key: f"COALESCE({each.column}::text, '')" for each in DIMENSIONS.values() if not each.of_errors
}
_NUMBERS_SQL: Final = ", ".join(f"sum({name})" for name in NUMBERS)


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose figures, of when, of which runs.

    ``sandbox`` asks for the sandbox's runs in place of the real ones: their prices are made up, so the two
    are never added together.
    """

    project_id: UUID
    period: Period
    filters: Filters = NO_FILTERS
    sandbox: bool = False


@dataclass(frozen=True, slots=True)
class Lines:
    """How segments are put into lines: by the place of a dimension's value in ``keys``, from 1, else OTHERS.

    Without a dimension everything is in line 0.
    """

    dimension: str = ""
    keys: tuple[str, ...] = ()


ONE_LINE: Final = Lines()
Placed = tuple[int, datetime | None]


def add_up(
    asked: Asked,
    parts: Sequence[Part],
    *,
    lines: Lines = ONE_LINE,
    by_moment: bool = False,
    need: frozenset[Need] = NONE_NEEDED,
) -> dict[Placed, Sums]:
    """The sums by line, and by the start of each roll-up where that is asked; empty lines are left out."""
    statement = _Statement(asked, parts, lines, by_moment)
    latency = statement.histograms() if "latency" in need else {}
    errors = statement.errors() if "errors" in need else {}
    return {
        place: Sums(**numbers, latency=latency.get(place, {}), errors=errors.get(place, {}))
        for place, numbers in statement.numbers().items()
    }


def largest(asked: Asked, parts: Sequence[Part], dimension: str, column: str) -> list[tuple[str, Any]]:
    """Every value of a dimension with the sum of one column, the largest first; none where nothing ran."""
    statement = _Statement(asked, parts, Lines(dimension), by_moment=False)
    if column not in NUMBERS:
        raise ValueError(f"{column} is no sum")
    return statement.ranking(column)


class _Statement:
    """One question's common parts: the chosen segments, and the roll-ups of its periods."""

    def __init__(self, asked: Asked, parts: Sequence[Part], lines: Lines, by_moment: bool) -> None:
        organization = current_organization_id()
        self.parameters: dict[str, Any] = {
            "organization": organization,
            "project": asked.project_id,
            "sandbox": asked.sandbox,
            "keys": list(lines.keys),
        }
        self.lines = lines
        self.place = "line, starts_at" if by_moment else "line, NULL::timestamptz"
        self.chosen = self._chosen(asked.filters)
        self.source = "analytics_rollup JOIN chosen ON chosen.id = segment_id"
        self.where = f"WHERE organization_id = %(organization)s AND ({self._periods(parts)})"

    def numbers(self) -> dict[Placed, Mapping[str, Any]]:
        rows = self._rows(
            f"SELECT {self.place}, {_NUMBERS_SQL} FROM {self.source} {self.where} GROUP BY 1, 2"
        )
        return {(row[0], row[1]): _numbers(row[2:]) for row in rows}

    def histograms(self) -> dict[Placed, dict[int, int]]:
        rows = self._rows(
            f"""SELECT line, moment, json_agg(bucket)::text, json_agg(count)::text FROM (
                SELECT line, moment, bucket, sum(count) AS count FROM (
                    SELECT {self.place} AS moment, unnest(latency_buckets) AS bucket,
                        unnest(latency_counts) AS count
                    FROM {self.source} {self.where}
                ) AS unfolded GROUP BY 1, 2, 3
            ) AS merged GROUP BY 1, 2"""
        )
        return {
            (row[0], row[1]): dict(zip(orjson.loads(row[2]), orjson.loads(row[3]), strict=True))
            for row in rows
        }

    def errors(self) -> dict[Placed, dict[str, int]]:
        rows = self._rows(
            f"""SELECT {self.place}, error.key, sum(error.value::bigint)
                FROM {self.source} CROSS JOIN LATERAL jsonb_each_text(errors) AS error
                {self.where} GROUP BY 1, 2, 3"""
        )
        found: dict[Placed, dict[str, int]] = {}
        for line, moment, name, count in rows:
            found.setdefault((line, moment), {})[name] = int(count)
        return found

    def ranking(self, column: str) -> list[tuple[str, Any]]:
        rows = self._rows(
            f"SELECT key, sum({column}) FROM {self.source} {self.where} GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        return [(row[0], row[1]) for row in rows]

    def _rows(self, select: str) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(f"WITH chosen AS MATERIALIZED ({self.chosen}) {select}", self.parameters)
            return cursor.fetchall()

    def _chosen(self, filters: Filters) -> str:
        dimension = self.lines.dimension
        key = _KEY[dimension] if dimension else "''"
        line = (
            f"COALESCE(array_position(%(keys)s::text[], {key}), {OTHERS})" if self.lines.keys else str(OTHERS)
        )
        return f"""SELECT id, {line} AS line, {key} AS key FROM analytics_segment
            WHERE organization_id = %(organization)s AND project_id = %(project)s AND sandbox = %(sandbox)s
            {"".join(self._conditions(filters))}"""

    def _conditions(self, filters: Filters) -> Iterable[str]:
        for name, (column, kind) in COLUMNS.items():
            values = getattr(filters, name)
            if values:
                self.parameters[name] = [each for each in values if each is not None]
                empty = f" OR {column} IS NULL" if None in values else ""
                yield f" AND ({column} = ANY(%({name})s::{kind}[]){empty})"

    def _periods(self, parts: Sequence[Part]) -> str:
        conditions = []
        for number, part in enumerate(parts):
            names = {f"grain{number}": part.grain, f"start{number}": part.start, f"end{number}": part.end}
            self.parameters |= names
            conditions.append(
                f"(grain = %(grain{number})s AND starts_at >= %(start{number})s"
                f" AND starts_at < %(end{number})s)"
            )
        return " OR ".join(conditions) or "false"


def _numbers(values: Sequence[Any]) -> Mapping[str, Any]:
    found = dict(zip(NUMBERS, values, strict=True))
    return {name: value if name == "cost" else int(value) for name, value in found.items()}
