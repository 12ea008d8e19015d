"""The statements that add roll-ups up. Inside the organization's scope.

Segments are narrowed and put into numbered lines first; the roll-ups then only have to be found by period.
Raw SQL, since histograms and errors are unfolded in it, so each statement names the organization itself too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from django.db import connection
from orjson import loads

from apps.analytics.dimensions import COLUMNS, DIMENSIONS, NO_FILTERS, Filters
from apps.analytics.metrics import COUNTS, NONE_NEEDED, Need, Sums
from apps.analytics.periods import Part, Period
from apps.core.scope import current_organization_id

OTHERS: Final = 0
"""The number of the line of everything that has none of its own."""

# What stands for runs without a prompt, a version, a label or a key.
_KEY: Final = {
    each.key: f"COALESCE({each.column}::text, '')" for each in DIMENSIONS.values() if not each.of_errors
}
# One array, since Python takes its time with each column of a row.
_COUNTS_SQL: Final = f"ARRAY[{', '.join(f'sum({name})' for name in COUNTS)}]::bigint[]::text"
# Unfolding rows and grouping again costs Postgres far more than Python takes to add up what it hands over,
# where groups are many; where they are few, it is the other way round.
_ERRORS_SQL: Final = "string_agg(errors::text, ',') FILTER (WHERE failed > 0)"
_LATENCY_SQL: Final = """string_agg(latency_buckets::text, '') FILTER (WHERE latency_counts <> '{}'),
    string_agg(latency_counts::text, '') FILTER (WHERE latency_counts <> '{}')"""


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
Placed: TypeAlias = tuple[int, datetime | None]
Keyed: TypeAlias = tuple[tuple[str, ...], datetime | None]


def add_up(
    asked: Asked,
    parts: Sequence[Part],
    *,
    lines: Lines = ONE_LINE,
    by_moment: bool = False,
    need: frozenset[Need] = NONE_NEEDED,
) -> dict[Placed, Sums]:
    """The sums by line, and by the start of each roll-up where that is asked; empty lines are left out."""
    dimensions = (lines.dimension,) if lines.dimension else ()
    return _Statement(asked, parts, dimensions, lines.keys, "line", by_moment).sums(need)


def add_up_by_key(
    asked: Asked,
    parts: Sequence[Part],
    dimensions: tuple[str, ...],
    *,
    by_moment: bool = False,
    need: frozenset[Need] = NONE_NEEDED,
) -> dict[Keyed, Sums]:
    """The sums by every combination of the values of some dimensions, '' where there is none."""
    return _Statement(asked, parts, dimensions, (), "key", by_moment).sums(need)


def largest(asked: Asked, parts: Sequence[Part], dimension: str, column: str) -> list[tuple[str, Any]]:
    """Every value of a dimension with the sum of one column, the largest first; none where nothing ran."""
    if column not in (*COUNTS, "cost"):
        raise ValueError(f"{column} is no sum")
    return _Statement(asked, parts, (dimension,), (), "key", by_moment=False).ranking(column)


def overridden(asked: Asked, parts: Sequence[Part]) -> dict[str, dict[str, int]]:
    """For each version how many calls overrode which of its defaults; "any" for at least one of them."""
    return _Statement(asked, parts, ("version",), (), "key", by_moment=False).overrides()


class _Statement:
    """One question's common parts: the chosen segments, and the roll-ups of its periods.

    ``place`` is what is grouped by beside the moment: a line's number, or the array of a segment's values.
    """

    def __init__(
        self,
        asked: Asked,
        parts: Sequence[Part],
        dimensions: tuple[str, ...],
        keys: tuple[str, ...],
        place: Literal["line", "key"],
        by_moment: bool,
    ) -> None:
        self.parameters: dict[str, Any] = {
            "organization": current_organization_id(),
            "project": asked.project_id,
            "sandbox": asked.sandbox,
            "keys": list(keys),
        }
        self.by_moment = by_moment
        self.place = f"{place} AS place"
        self.moment = "extract(epoch FROM starts_at)::bigint" if by_moment else "NULL"
        self.chosen = self._chosen(asked.filters, dimensions)
        self.source = "analytics_rollup JOIN chosen ON chosen.id = segment_id"
        self.where = f"WHERE organization_id = %(organization)s AND ({self._periods(parts)})"

    def sums(self, need: frozenset[Need]) -> dict[Any, Sums]:
        """The sums by place and moment."""
        errors = _ERRORS_SQL if "errors" in need else "NULL"
        latency = _LATENCY_SQL if "latency" in need and self.by_moment else "NULL, NULL"
        select = f"""SELECT {self.place}, {self.moment}, {_COUNTS_SQL}, sum(cost), {errors}, {latency}
            FROM {self.source} {self.where} GROUP BY place{", starts_at" if self.by_moment else ""}"""
        rows = self._unfolded(select) if "latency" in need and not self.by_moment else self._rows(select)
        found: dict[Any, Sums] = {}
        for place, moment, counts, cost, codes, *_, buckets, sizes in rows:
            found[_place(place), _moment(moment)] = Sums(
                **dict(zip(COUNTS, _whole_numbers(counts), strict=True)),
                cost=cost,
                latency=_histogram(buckets, sizes),
                errors=_errors(codes),
            )
        return found

    def overrides(self) -> dict[str, dict[str, int]]:
        """How many calls of each version overrode which of its defaults."""
        # Materialized, as the planner takes every object for a hundred entries.
        rows = self._rows(
            """SELECT rolled.place, entry.name, sum(entry.value::bigint)::bigint
                FROM rolled CROSS JOIN LATERAL jsonb_each_text(overrides) AS entry (name, value)
                GROUP BY 1, 2""",
            f"""rolled AS MATERIALIZED (
                SELECT {self.place}, overrides FROM {self.source} {self.where} AND overrides <> '{{}}'
            )""",
        )
        found: dict[str, dict[str, int]] = {}
        for key, name, count in rows:
            found.setdefault(key[0], {})[name] = count
        return found

    def ranking(self, column: str) -> list[tuple[str, Any]]:
        rows = self._rows(
            f"SELECT key, sum({column}) FROM {self.source} {self.where} GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        return [(row[0][0], row[1]) for row in rows]

    def _unfolded(self, select: str) -> list[tuple[Any, ...]]:
        """The rows, with histograms that Postgres has merged in place of its own last two columns."""
        return self._rows(
            "SELECT summed.*, merged.buckets, merged.counts FROM summed LEFT JOIN merged USING (place)",
            f"summed AS ({select})",
            f"""merged AS (
                SELECT place, array_agg(bucket)::text AS buckets, array_agg(count)::text AS counts FROM (
                    SELECT place, bucket, sum(count)::bigint AS count FROM (
                        SELECT {self.place}, unnest(latency_buckets) AS bucket,
                            unnest(latency_counts) AS count
                        FROM {self.source} {self.where}
                    ) AS unfolded GROUP BY 1, 2
                ) AS counted GROUP BY 1
            )""",
        )

    def _rows(self, select: str, *tables: str) -> list[tuple[Any, ...]]:
        every = ", ".join([f"chosen AS MATERIALIZED ({self.chosen})", *tables])
        with connection.cursor() as cursor:
            cursor.execute(f"WITH {every} {select}", self.parameters)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows

    def _chosen(self, filters: Filters, dimensions: tuple[str, ...]) -> str:
        keys = [_KEY[dimension] for dimension in dimensions]
        line = f"COALESCE(array_position(%(keys)s::text[], {keys[0]}), {OTHERS})" if keys else str(OTHERS)
        return f"""SELECT id, {line} AS line, ARRAY[{", ".join(keys)}]::text[] AS key FROM analytics_segment
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


def _place(found: Any) -> Any:
    return tuple(found) if isinstance(found, list) else found


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _histogram(buckets: str | None, counts: str | None) -> dict[int, int]:
    """Merge arrays that Postgres has written one behind the other: "{1,2}{2}" and "{5,1}{1}"."""
    found: dict[int, int] = {}
    if buckets and counts:
        for bucket, count in zip(_whole_numbers(buckets), _whole_numbers(counts), strict=True):
            found[bucket] = found.get(bucket, 0) + count
    return found


def _whole_numbers(arrays: str) -> list[int]:
    numbers: list[int] = loads(f"[{arrays[1:-1].replace('}{', ',')}]")
    return numbers


def _errors(objects: str | None) -> dict[str, int]:
    """Add up objects that Postgres has written with commas between them."""
    found: dict[str, int] = {}
    for each in loads(f"[{objects}]") if objects else ():
        for code, count in each.items():
            found[code] = found.get(code, 0) + count
    return found
