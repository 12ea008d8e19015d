"""Batches of chaos scripts: started, watched, checked. Import it once Django is set up."""

import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, connection, connections, transaction
from django.db.models import F, Max, Min
from django.db.utils import InterfaceError, OperationalError

from apps.audit.actor import SYSTEM
from apps.batches.models import BatchItem, BatchJob
from apps.batches.services.starting import BatchOptions, start_batch
from apps.billing.models import Quota
from apps.core.scope import organization_scope, system_scope
from apps.datasets.mapping import RowValues
from apps.runs.types import PromptReference
from apps.tenants.models import Project
from bench.chaos.checks import Check
from tests.factories import make_dataset_version, make_quota

LOOK_SECONDS: Final = 0.2

ADD_ROWS: Final = """
INSERT INTO datasets_datasetrow
    (id, organization_id, dataset_version_id, number, variables, expected, metadata)
SELECT gen_random_uuid(), %s, %s, n, jsonb_build_object('word', 'word ' || n), NULL, '{}'
FROM generate_series(2, %s) AS n
"""
# Each row of what must be 0 or the number of rows, counted where the rows are.
COUNTS: Final = """
SELECT
    (SELECT count(*) FROM batches_batchitem WHERE batch_id = %(job)s) AS items,
    (SELECT count(DISTINCT number) FROM batches_batchitem WHERE batch_id = %(job)s) AS numbers,
    (SELECT count(*) FROM batches_batchitem WHERE batch_id = %(job)s AND status = 'succeeded') AS succeeded,
    (SELECT count(*) FROM runs_run WHERE organization_id = %(organization)s) AS runs,
    (SELECT count(*) FROM batches_batchitem AS item JOIN runs_run AS run ON run.id = item.run_id
      WHERE item.batch_id = %(job)s) AS answered,
    (SELECT count(*) FROM runs_runpayload WHERE organization_id = %(organization)s) AS contents,
    (SELECT count(*) FROM billing_usageevent WHERE organization_id = %(organization)s) AS charges,
    (SELECT count(DISTINCT key) FROM billing_usageevent WHERE organization_id = %(organization)s) AS keys,
    (SELECT count(*) FROM billing_usageevent AS event JOIN batches_batchitem AS item
      ON event.key = 'item:' || item.id || ':0'
      WHERE event.organization_id = %(organization)s AND item.batch_id = %(job)s) AS charged,
    (SELECT count(*) FROM batches_batchitem WHERE batch_id = %(job)s AND attempts > 1) AS again,
    (SELECT coalesce(sum(cost), 0) FROM batches_batchitem WHERE batch_id = %(job)s) AS cost
"""


@dataclass(frozen=True)
class Work:
    """A batch by its ids."""

    organization_id: UUID
    job_id: UUID
    rows: int

    @classmethod
    def start(cls, project: Project, rows: int, **options: Any) -> "Work":
        """A batch of the project's prompt "chaos" over so many rows, with the options of BatchOptions."""
        _allow(project, rows)
        version = make_dataset_version(project=project, rows=[RowValues({"word": "word 1"}, None, {})])
        with organization_scope(project.organization_id):
            with connection.cursor() as cursor:
                cursor.execute(ADD_ROWS, [version.organization_id, version.id, rows])
            version.row_count = rows
            version.save(update_fields=["row_count"])
            job = start_batch(
                actor=SYSTEM,
                project=project,
                prompt=PromptReference("chaos", number=1),
                dataset_version=version,
                options=BatchOptions(**options),
            )
        return cls(project.organization_id, job.id, rows)

    def job(self) -> BatchJob:
        """The job as it stands; asks again while Postgres is away."""
        while True:
            try:
                with organization_scope(self.organization_id):
                    return BatchJob.objects.get(pk=self.job_id)
            except (OperationalError, InterfaceError):
                connections.close_all()
                time.sleep(LOOK_SECONDS)

    def finished(self) -> int:
        """Rows that are through."""
        return self.job().finished

    def wait_for(self, rows: int, *, seconds: float) -> None:
        """Until so many rows are through. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while (finished := self.finished()) < rows:
            if time.monotonic() > deadline:
                raise TimeoutError(f"only {finished} of {rows} rows in {seconds:.0f} s")
            time.sleep(LOOK_SECONDS)

    def wait_for_end(self, *, seconds: float) -> bool:
        """Whether the job ended in that time."""
        deadline = time.monotonic() + seconds
        while not self.job().is_terminal:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def results_after(self) -> tuple[float, float]:
        """Seconds from the batch's start to its first result and to its last so far."""
        with organization_scope(self.organization_id):
            found = BatchItem.objects.filter(batch_id=self.job_id).aggregate(
                first=Min("finished_at"), last=Max("finished_at")
            )
            started = BatchJob.objects.get(pk=self.job_id).created_at
        return (found["first"] - started).total_seconds(), (found["last"] - started).total_seconds()

    def checks(self) -> list[Check]:
        """What must hold at the end, for a project that has done nothing else."""
        job, found = self.job(), self._counts()
        rows = self.rows
        return [
            Check(f"rows through when the batch was {job.status}", job.finished, job.status == "completed"),
            Check(
                "rows with exactly one result",
                found["succeeded"],
                found["succeeded"] == found["items"] == found["numbers"] == job.succeeded == rows,
            ),
            Check(
                "runs recorded, one for each row", found["runs"], found["runs"] == found["answered"] == rows
            ),
            Check("runs with their content", found["contents"], found["contents"] == rows),
            Check(
                "rows charged, once each",
                found["charges"],
                found["charges"] == found["keys"] == found["charged"] == rows,
            ),
            Check(
                "the job's cost less its rows' costs",
                float(job.cost_used - found["cost"]),
                job.cost_used == found["cost"],
            ),
            Check("rows in flight or money set aside", job.running, job.running == 0 == job.cost_reserved),
            Check("rows that were taken more than once", found["again"], True),
        ]

    def _counts(self) -> dict[str, Any]:
        with system_scope(), connection.cursor() as cursor:
            cursor.execute(COUNTS, {"job": self.job_id, "organization": self.organization_id})
            assert cursor.description is not None
            names = [column.name for column in cursor.description]
            return dict(zip(names, cursor.fetchone(), strict=True))


def _allow(project: Project, rows: int) -> None:
    """A month's quota that the rows fit into: the free plan's ends at 10,000."""
    with organization_scope(project.organization_id):
        # Another batch of the project may begin at the same moment.
        with suppress(IntegrityError), transaction.atomic():
            make_quota(organization=project.organization, cap=rows)
        Quota.objects.filter(meter="runs").update(cap=F("cap") + rows)


def calls_made(port: int) -> int:
    """How often the stand-in of a provider was called."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        return int(answer.read())
