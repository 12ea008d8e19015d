"""The list of batches: its columns, filters and file."""

from dataclasses import dataclass
from typing import Final

from django.db.models.functions import Lower

from apps.batches.models import BatchJob, CostStatus, JobStatus
from apps.batches.web import presenting
from apps.core.tables import Column, Filter, Table, register


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch with what its cost means."""

    job: BatchJob
    cost_status: str | None

    @property
    def cost(self) -> str | None:
        """The cost as plain digits; "unknown" is spelled out and never 0."""
        if self.cost_status == CostStatus.UNKNOWN:
            return "unknown"
        return None if self.cost_status is None else f"{self.job.cost_used.normalize():f}"


def _rows(jobs: list[BatchJob]) -> list[BatchRow]:
    return [BatchRow(job, presenting.cost_status(job)) for job in jobs]


BATCHES: Final = register(
    Table[BatchJob, BatchRow](
        key="batches",
        prefix=BatchJob.PREFIX,
        noun=("batch", "batches"),
        search="Search batches",
        default_sort="-started",
        prepare=_rows,
        filters=(Filter("status", "Status", [("open", "Running"), *JobStatus.choices]),),
        columns=(
            Column("id", "Id", lambda row: row.job.public_id, export_only=True),
            Column("name", "Name", lambda row: row.job.name, sort=Lower("name"), always=True),
            Column("status", "Status", lambda row: row.job.status),
            Column("prompt", "Prompt", lambda row: row.job.prompt_name, sort="prompt_name"),
            Column("version", "Version", lambda row: row.job.version_number, export_only=True),
            Column("model", "Model", lambda row: row.job.model, sort="model", default=False),
            Column("rows", "Rows", lambda row: row.job.total, sort="total", downwards=True),
            Column("succeeded", "Succeeded", lambda row: row.job.succeeded, export_only=True),
            Column(
                "failed", "Failed", lambda row: row.job.failed, sort="failed", downwards=True, numeric=True
            ),
            Column("cost", "Cost", lambda row: row.cost, sort="cost_used", downwards=True, numeric=True),
            Column("cost_status", "Cost status", lambda row: row.cost_status, export_only=True),
            Column("started_by", "Started by", lambda row: row.job.started_by_name, default=False),
            Column("started", "Started", lambda row: row.job.created_at, sort="id", downwards=True),
            Column(
                "ended",
                "Ended",
                lambda row: row.job.completed_at,
                sort="completed_at",
                nullable=True,
                downwards=True,
                default=False,
            ),
        ),
    )
)
