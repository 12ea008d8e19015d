"""Runs as rows of a dataset: what went in, and what should come out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from apps.datasets.mapping import RowValues
from apps.runs.feedback import text_of
from apps.runs.models import Feedback, Run
from apps.runs.queries import load_contents

Expected = Literal["correction", "answer", "none"]


@dataclass(frozen=True, slots=True)
class RowsOfRuns:
    """Rows, and how many runs gave none because their content is gone."""

    rows: list[RowValues]
    without_content: int


def rows_of(runs: Sequence[Run], expected: Expected) -> RowsOfRuns:
    """A row for each run that still has its content, in the order given; three queries at most."""
    contents = load_contents(runs)
    corrections = _corrections([run.pk for run in runs]) if expected == "correction" else {}
    rows = [
        RowValues(
            variables=dict(contents[run.pk].variables),
            expected=None
            if expected == "none"
            else corrections.get(run.pk) or contents[run.pk].output or None,
            metadata={"run_id": run.public_id},
        )
        for run in runs
        if run.pk in contents
    ]
    return RowsOfRuns(rows, len(runs) - len(rows))


def _corrections(run_ids: list[UUID]) -> dict[UUID, str]:
    """The latest correction of each run that has one."""
    found = {}
    voices = Feedback.objects.filter(run_id__in=run_ids, sealed_text__isnull=False).order_by("updated_at")
    for voice in voices:
        correction = text_of(voice).correction
        if correction:
            found[voice.run_id] = correction
    return found
