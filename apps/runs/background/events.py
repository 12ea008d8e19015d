"""What others are told of the end of a background run, by the outbox."""

from typing import Any, Final
from uuid import UUID

from apps.core import ids, outbox
from apps.runs.models import BackgroundRun, BackgroundStatus

TOPICS: Final = {
    BackgroundStatus.SUCCEEDED: "run.completed",
    BackgroundStatus.FAILED: "run.failed",
    BackgroundStatus.CANCELLED: "run.cancelled",
}


def payload(run_id: UUID, project_id: UUID) -> dict[str, Any]:
    """Ids, never content: whoever is told reads the run."""
    return {"run": ids.encode("run", run_id), "project_id": ids.encode("prj", project_id)}


def tell(run: BackgroundRun) -> None:
    """Write the message of a run that has ended, in the open transaction."""
    outbox.write(TOPICS[BackgroundStatus(run.status)], payload(run.pk, run.project_id), run.organization_id)
