"""Rows from earlier runs, whose contents are opened a few hundred at a time."""

import bisect
from typing import Final
from uuid import UUID

from django.db.models import CharField, F, Func, QuerySet, Value
from django.db.models.functions import Cast, Concat

from apps.batches.row_sources import RunsSource
from apps.batches.taking.pieces import Piece, grown, loose
from apps.datasets.models import DatasetVersion
from apps.datasets.row_storage import insert_rows
from apps.datasets.services.versions import stored_row
from apps.datasets.values import columns_mapping
from apps.runs.dataset_rows import rows_of
from apps.runs.models import Run
from apps.runs.queries import list_runs

RUNS_A_PIECE: Final = 500


def chosen_runs(project_id: UUID, source: RunsSource) -> list[UUID]:
    """The ids of the runs that a source means, oldest first; the same whenever it is asked."""
    found: QuerySet[Run] = list_runs(project_id, source.filters)
    if source.before is not None:
        found = found.filter(pk__lt=source.before)
    if source.order == "random":
        drawn = Func(
            Concat(Cast("id", CharField()), Value(source.seed)), function="md5", output_field=CharField()
        )
        found = found.annotate(drawn=drawn).order_by("drawn", "id")
    else:
        found = found.order_by(F("id").desc())
    return sorted(found.values_list("pk", flat=True)[: source.limit])


def take_piece(
    version: DatasetVersion, source: RunsSource, chosen: list[UUID], place: str, rows: int
) -> Piece:
    """Write the rows of the next chosen runs behind `rows` rows; saves the version's columns."""
    start = bisect.bisect_right(chosen, UUID(place)) if place else 0
    wanted = chosen[start : start + RUNS_A_PIECE]
    if not wanted:
        return Piece(0, 0, None)
    runs = list(Run.objects.filter(pk__in=wanted).order_by("pk"))
    found = rows_of(runs, source.expected)
    columns = grown(columns_mapping(version.columns), found.rows)
    kept = loose(columns)
    insert_rows(version, (stored_row(row, kept, text=False) for row in found.rows), before=rows)
    version.columns = [item.as_json() for item in columns]
    version.save(update_fields=["columns"])
    left_out = len(wanted) - len(found.rows)
    last = start + len(wanted) >= len(chosen)
    return Piece(len(found.rows), left_out, None if last else str(wanted[-1]))
