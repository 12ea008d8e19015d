"""A finished batch of any size, written by SQL: a dataset version, its rows, the batch and its items."""

from datetime import timedelta
from typing import Any, Final

from django.db import connection
from django.utils import timezone

from apps.batches.models import BatchJob, JobStatus
from apps.batches.results.failures import count_failures
from apps.core.scope import organization_scope
from apps.core.sql import UUID7
from apps.datasets.mapping import RowValues
from apps.tenants.models import Project

ROWS_A_STATEMENT: Final = 50_000
FAILED_IN: Final = 50
"""One row in so many fails, for one of four reasons."""

DIFFERS_IN: Final = 997

_ROWS: Final = f"""
INSERT INTO datasets_datasetrow
    (id, organization_id, dataset_version_id, number, variables, expected, metadata)
SELECT {UUID7}, %(organization)s, %(version)s, n,
    jsonb_build_object('review', 'Order ' || n || ': ' || repeat('arrived late, box damaged. ', 1 + n %% 6)),
    CASE WHEN n %% {DIFFERS_IN} = 0 THEN 'Negative' ELSE 'Positive' END, jsonb_build_object('id', n)
FROM generate_series(%(first)s::int, %(last)s::int) AS n
"""

_ITEMS: Final = f"""
INSERT INTO batches_batchitem (
    id, organization_id, batch_id, number, status, round, attempts, fence, run_id, output, output_truncated,
    parsed, matches, error_code, error_message, finish_reason, input_tokens, output_tokens, cost, cost_status,
    cost_reserved, latency_ms, finished_at
)
SELECT {UUID7}, %(organization)s, %(job)s, n, CASE WHEN failed THEN 'failed' ELSE 'succeeded' END, 0, 1, 1,
    gen_random_uuid(), CASE WHEN failed THEN '' ELSE answer::text END, FALSE,
    CASE WHEN failed THEN NULL ELSE answer END,
    CASE WHEN failed THEN NULL ELSE n %% {DIFFERS_IN} <> 0 END,
    CASE WHEN failed THEN ('{{provider_timeout,output_invalid,variable_missing,provider_failed}}'::text[])
        [1 + n / {FAILED_IN} %% 4] ELSE '' END,
    CASE WHEN failed THEN 'It did not go well.' ELSE '' END, 'stop', 40 + n %% 50, 20 + n %% 9,
    0.0000420000 + n %% 7 * 0.000001, 'priced', 0, 200 + n %% 1900,
    now() - (%(total)s - n) * interval '1 millisecond'
FROM (
    SELECT n, n %% {FAILED_IN} = 0 AS failed, jsonb_build_object('sentiment', 'Positive', 'reason',
        'The customer says so in ' || n %% 9 || ' words.', 'confidence', (n %% 1000) / 1000.0) AS answer
    FROM generate_series(%(first)s::int, %(last)s::int) AS n
) AS made
"""

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "sentiment": {"enum": ["Positive", "Negative"]},
        "reason": {"type": "string"},
        "confidence": {"type": "number"},
    },
    "required": ["sentiment", "reason"],
}


def write_finished_batch(project: Project, rows: int, *, over: BatchJob | None = None) -> BatchJob:
    """A batch of so many rows that has ended: one in fifty failed, one in a thousand differs.

    `over` is a batch that is at least as large, whose dataset version it runs over.
    """
    from tests.factories import make_batch, make_content  # noqa: PLC0415 - needs the settings

    given = [RowValues({"review": "Fine."}, "Positive", {"id": 1})]
    job = make_batch(project=project, rows=given, content=make_content(output_schema=SCHEMA))
    if over is not None:
        job.dataset_version = over.dataset_version
    names: dict[str, Any] = {
        "organization": project.organization_id,
        "job": job.pk,
        "version": job.dataset_version_id,
    }
    for first in range(1, rows + 1, ROWS_A_STATEMENT):
        numbers = {"first": first, "last": min(first + ROWS_A_STATEMENT - 1, rows), "total": rows}
        with organization_scope(project.organization_id), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            if over is None:
                # The first row is there: the batch was made over it.
                cursor.execute(_ROWS, names | numbers | {"first": max(first, 2)})
            cursor.execute(_ITEMS, names | numbers)
    with organization_scope(project.organization_id):
        _finish(job, rows, own_rows=over is None)
    return job


def _finish(job: BatchJob, rows: int, *, own_rows: bool) -> None:
    version = job.dataset_version
    if own_rows:
        version.row_count = rows
        version.save(update_fields=["row_count"])
    failed = rows // FAILED_IN
    both = rows // (FAILED_IN * DIFFERS_IN)
    job.total, job.source_rows, job.next_number = rows, rows, rows + 1
    job.pending = 0
    job.failed, job.succeeded = failed, rows - failed
    job.compared, job.matched = rows - failed, rows - failed - (rows // DIFFERS_IN - both)
    job.status, job.completed_at = JobStatus.COMPLETED, timezone.now()
    job.created_at = job.completed_at - timedelta(hours=1)
    job.failure_groups = count_failures(job)
    job.save()
