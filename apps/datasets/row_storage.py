"""Rows in and out of the database by the thousand, in few statements. Call inside the organization's scope.

COPY is refused on a table with row-level security, and the ORM takes ten times as long as these statements.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection

from apps.core.errors import Conflict, InvalidRequest
from apps.core.sql import UUID7
from apps.datasets.limits import MOST_ROWS_COPIED
from apps.datasets.models import DatasetRow, DatasetVersion
from apps.datasets.values import StoredValues

ROWS_A_STATEMENT: Final = 5_000
BYTES_A_STATEMENT: Final = 4 * 1024 * 1024
COPIED_A_STATEMENT: Final = 20_000
"""Keeps a statement far below a web process's time limit."""

ROWS_A_READ: Final = 500

_COLUMNS: Final = (
    "id, organization_id, dataset_version_id, number, variables, expected, metadata, source, origin_id"
)

_INSERT: Final = f"""
INSERT INTO datasets_datasetrow ({_COLUMNS})
SELECT {UUID7}, %(organization)s, %(version)s, %(before)s + given.at, given.variables::jsonb, given.expected,
    given.metadata::jsonb, given.source, NULL
FROM unnest(%(variables)s::text[], %(expected)s::text[], %(metadata)s::text[], %(source)s::text[])
    WITH ORDINALITY AS given (variables, expected, metadata, source, at)
"""

_COPY: Final = f"""
INSERT INTO datasets_datasetrow ({_COLUMNS})
SELECT {UUID7}, %(organization)s, %(version)s,
    %(before)s + row_number() OVER (ORDER BY found.place, found.sequence),
    found.variables, found.expected, found.metadata, found.source, found.origin
FROM (
    SELECT kept.number AS place, 0 AS sequence, COALESCE(kept.origin_id, kept.id) AS origin,
        CASE WHEN change.id IS NULL THEN kept.variables ELSE change.variables END AS variables,
        CASE WHEN change.id IS NULL THEN kept.expected ELSE change.expected END AS expected,
        CASE WHEN change.id IS NULL THEN kept.metadata ELSE change.metadata END AS metadata,
        CASE WHEN change.id IS NULL THEN kept.source ELSE change.source END AS source
    FROM datasets_datasetrow AS kept
    LEFT JOIN datasets_datasetchange AS change
        ON change.organization_id = %(organization)s AND change.draft_id = %(draft)s::uuid
        AND change.place = kept.number AND change.sequence = 0
    WHERE kept.organization_id = %(organization)s AND kept.dataset_version_id = %(base)s
        AND kept.number > %(above)s AND kept.number <= %(upto)s AND change.removed IS NOT TRUE
    UNION ALL
    SELECT place, sequence, NULL, variables, expected, metadata, source
    FROM datasets_datasetchange
    WHERE organization_id = %(organization)s AND draft_id = %(draft)s::uuid
        AND sequence > 0 AND NOT removed AND place > %(above)s AND place <= %(upto)s
) AS found
"""

_SIZE: Final = """
SELECT COALESCE(sum(octet_length(variables::text) + COALESCE(octet_length(expected), 0)
    + octet_length(metadata::text)), 0)
FROM datasets_datasetrow
WHERE organization_id = %(organization)s AND dataset_version_id = %(version)s
"""


def demand_rows(version: DatasetVersion) -> None:
    """Raise Conflict (`dataset_rows_deleted`) for a version whose rows retention has taken."""
    if version.rows_deleted_at is not None:
        raise Conflict(
            f"Retention has deleted the rows of v{version.number}. Use another version.",
            code="dataset_rows_deleted",
        )


def is_copyable(version: DatasetVersion) -> bool:
    """Whether a next version may be made of a version's rows while the caller waits."""
    return version.row_count <= MOST_ROWS_COPIED


def demand_copyable(version: DatasetVersion) -> None:
    """Raise InvalidRequest (`dataset_too_large`) for a version that is too large to make another of."""
    if not is_copyable(version):
        raise InvalidRequest(
            f"v{version.number} has more than {MOST_ROWS_COPIED:,} rows. Download it, change the file and "
            "import it as the next version.",
            code="dataset_too_large",
        )


def insert_rows(version: DatasetVersion, rows: Iterable[StoredValues], *, before: int = 0) -> int:
    """Append rows to a version that holds `before` rows; returns how many it holds then."""
    batch: list[tuple[str, str | None, str, str | None]] = []
    size = 0
    for row in rows:
        variables, metadata = orjson.dumps(row.variables).decode(), orjson.dumps(row.metadata).decode()
        batch.append((variables, row.expected, metadata, row.source))
        size += len(variables) + len(metadata)
        if len(batch) >= ROWS_A_STATEMENT or size >= BYTES_A_STATEMENT:
            before += _insert(version, batch, before)
            batch, size = [], 0
    return before + _insert(version, batch, before)


def copy_rows(version: DatasetVersion, base: DatasetVersion, draft_id: UUID | None = None) -> int:
    """Copy a version's rows into a new one, with a draft's edits; returns how many there are then."""
    copied = 0
    # Rows that a draft adds at the beginning stand at place 0.
    for above in range(-1, base.row_count + 1, COPIED_A_STATEMENT):
        names = {
            "organization": version.organization_id,
            "version": version.id,
            "base": base.id,
            "draft": draft_id,
            "before": copied,
            "above": above,
            "upto": above + COPIED_A_STATEMENT,
        }
        with connection.cursor() as cursor:
            cursor.execute(_COPY, names)
            copied += cursor.rowcount
    return copied


def measure_rows(version: DatasetVersion) -> int:
    """How many bytes the values of a version's rows take."""
    with connection.cursor() as cursor:
        cursor.execute(_SIZE, {"organization": version.organization_id, "version": version.id})
        return int(cursor.fetchone()[0])


def iterate_rows(version: DatasetVersion) -> Iterator[StoredValues]:
    """A version's rows in order, read in pages, so that memory stays constant."""
    for above in range(0, version.row_count, ROWS_A_READ):
        yield from read_page(version, above)


def read_page(version: DatasetVersion, above: int, limit: int = ROWS_A_READ) -> list[StoredValues]:
    """The rows numbered `above` + 1 to `above` + `limit`."""
    rows = DatasetRow.objects.filter(
        dataset_version=version, number__gt=above, number__lte=above + limit
    ).order_by("number")
    return [
        StoredValues(*values) for values in rows.values_list("variables", "expected", "metadata", "source")
    ]


def _insert(
    version: DatasetVersion, batch: list[tuple[str, str | None, str, str | None]], before: int
) -> int:
    if not batch:
        return 0
    variables, expected, metadata, source = zip(*batch, strict=True)
    names: dict[str, Any] = {
        "organization": version.organization_id,
        "version": version.id,
        "before": before,
        "variables": list(variables),
        "expected": list(expected),
        "metadata": list(metadata),
        "source": list(source),
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, names)
    return len(batch)
