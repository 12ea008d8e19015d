"""Ringing for imports. The rows are the truth: what Redis lost is rung for again."""

from typing import Final

from apps.core import queue
from apps.datasets.models import DatasetImport

JOB: Final = "apps.datasets.jobs.work_on_import"
JOB_SECONDS: Final = 600
"""Far longer than a turn: a worker ends its turns by itself."""


def ring(dataset_import: DatasetImport) -> None:
    """Ring a worker once the transaction commits."""
    queue.enqueue(JOB, str(dataset_import.pk), queue="bulk", timeout=JOB_SECONDS)
