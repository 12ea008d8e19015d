"""What differs between two versions of a dataset, told row by row. Call inside the organization's scope."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import connection

from apps.core.errors import InvalidRequest
from apps.datasets.limits import MOST_ROWS_COMPARED
from apps.datasets.models import DatasetRow, DatasetVersion
from apps.datasets.row_storage import demand_rows

SHOWN: Final = 100

_DIGESTS: Final = """
SELECT number, COALESCE(origin_id, id) AS origin, digest,
    row_number() OVER (PARTITION BY digest ORDER BY number) AS nth
FROM (
    SELECT id, number, origin_id, md5(variables::text || E'\\x1f' || COALESCE(expected, E'\\x1e') || E'\\x1f'
        || metadata::text || E'\\x1f' || COALESCE(source, '')) AS digest
    FROM datasets_datasetrow
    WHERE organization_id = %(organization)s AND dataset_version_id = %({name})s
) AS digested
"""

# Equal rows cancel out wherever they stand. What is left is paired by the row it was copied from or, between
# two uploads, by its number.
_DIFFERENCE: Final = f"""
WITH before AS MATERIALIZED ({_DIGESTS.format(name="before")}),
after AS MATERIALIZED ({_DIGESTS.format(name="after")}),
related AS MATERIALIZED (SELECT EXISTS (SELECT FROM before JOIN after USING (origin)) AS yes),
gone AS (
    SELECT number, CASE WHEN yes THEN origin::text ELSE number::text END AS pair
    FROM related, before
    WHERE NOT EXISTS (SELECT FROM after WHERE after.digest = before.digest AND after.nth = before.nth)
),
come AS (
    SELECT number, CASE WHEN yes THEN origin::text ELSE number::text END AS pair
    FROM related, after
    WHERE NOT EXISTS (SELECT FROM before WHERE before.digest = after.digest AND before.nth = after.nth)
)
SELECT gone.number, come.number,
    count(*) FILTER (WHERE gone.number IS NULL) OVER (),
    count(*) FILTER (WHERE gone.number IS NOT NULL AND come.number IS NOT NULL) OVER (),
    count(*) FILTER (WHERE come.number IS NULL) OVER ()
FROM gone FULL JOIN come USING (pair)
ORDER BY COALESCE(come.number, gone.number), gone.number
LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class RowDifference:
    """One differing row: as it was, as it is; None where it isn't there."""

    before: DatasetRow | None
    after: DatasetRow | None

    @property
    def kind(self) -> str:
        """added, removed or changed."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """Counts over all rows, and the first hundred rows that differ."""

    added: int
    changed: int
    removed: int
    rows: tuple[RowDifference, ...]

    @property
    def total(self) -> int:
        return self.added + self.changed + self.removed


def is_comparable(before: DatasetVersion, after: DatasetVersion) -> bool:
    """Whether two versions are small enough to be compared while somebody waits."""
    return before.row_count + after.row_count <= MOST_ROWS_COMPARED


def compare(before: DatasetVersion, after: DatasetVersion, *, limit: int = SHOWN) -> Difference:
    """From one version to another. About a second for 100,000 rows.

    Raises Conflict for deleted rows, and InvalidRequest ``too_many_rows`` for what would take too long.
    """
    demand_rows(before)
    demand_rows(after)
    if not is_comparable(before, after):
        message = f"Versions are compared up to {MOST_ROWS_COMPARED:,} rows together. Download both instead."
        raise InvalidRequest(message, code="too_many_rows", param="to")
    names: dict[str, UUID | int] = {
        "organization": after.organization_id,
        "before": before.id,
        "after": after.id,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCE, names)
        found = cursor.fetchall()
    if not found:
        return Difference(0, 0, 0, ())
    olds = _by_number(before, [old for old, *_ in found if old is not None])
    news = _by_number(after, [new for _, new, *_ in found if new is not None])
    rows = tuple(RowDifference(olds.get(old), news.get(new)) for old, new, *_ in found)
    added, changed, removed = found[0][2:]
    return Difference(added, changed, removed, rows)


def _by_number(version: DatasetVersion, numbers: list[int]) -> dict[int | None, DatasetRow]:
    rows = DatasetRow.objects.filter(dataset_version=version, number__in=numbers)
    return {row.number: row for row in rows}
