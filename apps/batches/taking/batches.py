"""Rows from another batch by what came out of it, copied inside the database."""

from typing import Any, Final

from django.db import connection

from apps.batches.choosing import chosen_items
from apps.batches.models import BatchJob
from apps.batches.numbering import row_of, rows_used
from apps.batches.row_sources import BatchSource
from apps.batches.taking.pieces import Piece
from apps.core.sql import UUID7
from apps.datasets.models import DatasetVersion

ROWS_A_PIECE: Final = 20_000

_COPY: Final = f"""
INSERT INTO datasets_datasetrow (
    id, organization_id, dataset_version_id, number, variables, expected, metadata, source, origin_id
)
SELECT {UUID7}, organization_id, %(version)s, %(before)s + row_number() OVER (ORDER BY number),
    variables, expected, metadata, source, COALESCE(origin_id, id)
FROM datasets_datasetrow
WHERE organization_id = %(organization)s AND dataset_version_id = %(base)s AND number = ANY(%(numbers)s)
"""


def take_piece(version: DatasetVersion, job: BatchJob, source: BatchSource, place: str, rows: int) -> Piece:
    """Copy what was chosen of the next rows of the other batch behind `rows` rows."""
    above, last = int(place or 0), rows_used(job)
    upto = min(above + ROWS_A_PIECE, last)
    within = chosen_items(job, source.where).filter(
        number__gt=above * job.variant_count, number__lte=upto * job.variant_count
    )
    numbers = sorted(set(within.annotate(row=row_of(job)).values_list("row", flat=True)))
    written = _copy(version, job, numbers, rows) if numbers else 0
    return Piece(written, len(numbers) - written, None if upto >= last else str(upto))


def _copy(version: DatasetVersion, job: BatchJob, numbers: list[int], rows: int) -> int:
    names: dict[str, Any] = {
        "organization": job.organization_id,
        "version": version.pk,
        "base": job.dataset_version_id,
        "numbers": numbers,
        "before": rows,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COPY, names)
        return int(cursor.rowcount)
