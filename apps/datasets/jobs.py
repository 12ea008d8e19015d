"""Queue and cron entry points."""

from typing import Final
from uuid import UUID

from apps.core import queue
from apps.datasets.ringing import JOB, JOB_SECONDS
from apps.datasets.services import purge_deleted, sweep_imports, work_off

TURN_SECONDS: Final = 60.0


def purge() -> int:
    """Every ten minutes, in the cron process: remove what deleted datasets still hold."""
    return purge_deleted()


def work_on_import(import_id: str) -> None:
    """Work on an uploaded file that was rung for; rings for itself again while there is more to do."""
    if work_off(UUID(import_id), TURN_SECONDS):
        queue.enqueue(JOB, import_id, queue="bulk", timeout=JOB_SECONDS)


def sweep() -> int:
    """Every fifteen seconds, in the cron process: ring for imports that nobody works on."""
    return sweep_imports()
