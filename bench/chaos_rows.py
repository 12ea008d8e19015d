"""The batch of the chaos run: started, watched and checked. Import it once Django is set up."""

import time
from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from apps.batches.models import BatchItem, BatchJob
from apps.batches.services.starting import BatchOptions
from apps.billing.models import UsageEvent, UsageKey
from apps.core.scope import organization_scope
from apps.runs.models import Run, RunPayload
from tests.factories import make_batch

LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Batch:
    """One batch by its ids."""

    organization_id: UUID
    job_id: UUID
    rows: int

    @classmethod
    def start(cls, *, rows: int, concurrency: int, latency_ms: int) -> "Batch":
        """A batch of a new organization on the sandbox."""
        options = BatchOptions(concurrency=concurrency, parameters={"sandbox_latency_ms": latency_ms})
        job = make_batch(rows=rows, options=options)
        return cls(job.organization_id, job.id, rows)

    def job(self) -> BatchJob:
        """The job as it stands."""
        with organization_scope(self.organization_id):
            return BatchJob.objects.get(pk=self.job_id)

    def finished(self) -> int:
        """Rows that are through."""
        return self.job().finished

    def wait_for(self, rows: int, *, seconds: float) -> None:
        """Until so many rows are through. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while self.finished() < rows:
            if time.monotonic() > deadline:
                raise TimeoutError(f"only {self.finished()} of {rows} rows in {seconds:.0f} s")
            time.sleep(LOOK_SECONDS)

    def wait_for_end(self, *, seconds: float) -> bool:
        """Whether the job ended in that time."""
        deadline = time.monotonic() + seconds
        while not self.job().is_terminal:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def checks(self) -> list[tuple[str, bool]]:
        """What must hold, in words, and whether it does."""
        job = self.job()
        with organization_scope(self.organization_id):
            items = list(BatchItem.objects.filter(batch=job))
            keys = Counter(UsageKey.objects.values_list("key", flat=True))
            events = Counter(UsageEvent.objects.values_list("key", flat=True))
            runs = set(Run.objects.values_list("id", flat=True))
            payloads = set(RunPayload.objects.values_list("id", flat=True))
        wanted = Counter(f"item:{item.id}:0" for item in items)
        return [
            ("the batch is completed", job.status == "completed"),
            (f"{self.rows:,} rows succeeded", job.succeeded == self.rows == len(items)),
            ("every row has exactly one run, and no run is left over", runs == {i.run_id for i in items}),
            ("every run has its content", payloads == runs),
            ("every row has exactly one usage record, and none is left over", keys == wanted == events),
            (
                "the cost is the sum of the rows' costs",
                job.cost_used == sum(item.cost or 0 for item in items),
            ),
            ("nothing is in flight or set aside", job.running == 0 == job.cost_reserved),
        ]

    def claimed_again(self) -> int:
        """Rows whose first call was lost with its process."""
        with organization_scope(self.organization_id):
            return BatchItem.objects.filter(batch_id=self.job_id, attempts__gt=1).count()
