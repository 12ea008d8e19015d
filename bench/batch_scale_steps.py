"""The steps of `bench.batch_scale`. Import it once Django is set up."""

import time

from django.db import connection

from apps.audit.actor import SYSTEM
from apps.batches import queries, services
from apps.batches.models import BatchJob
from apps.batches.pump import Times
from apps.batches.results import pages
from apps.batches.results.formats import write_results
from apps.batches.results.selecting import ResultFilters
from apps.batches.services.starting import BatchOptions
from apps.batches.sweeping import sweep
from apps.core.scope import organization_scope
from apps.datasets.models import DatasetVersion
from apps.runs.types import PromptReference
from bench.batch_scale import timed
from tests.batches.support import reload, run_batch_pump
from tests.factories import SENTIMENT_SCHEMA, make_content, make_dataset_version, make_project, make_prompt

ADD_ROWS = """
INSERT INTO datasets_datasetrow
    (id, organization_id, dataset_version_id, number, variables, expected, metadata)
SELECT gen_random_uuid(), %s, %s, n,
       jsonb_build_object('review', 'Great product number ' || n || ', as it should be.'), 'Positive', '{}'
FROM generate_series(4, %s) AS n
"""


def run(rows: int, seconds: float) -> None:
    """Start, pump, read, stop, download, retry."""
    project = make_project()
    prompt = make_prompt(project=project, content=make_content(output_schema=SENTIMENT_SCHEMA))
    version = widen(make_dataset_version(project=project), rows)

    def start() -> BatchJob:
        with organization_scope(project.organization_id):
            return services.start_batch(
                actor=SYSTEM,
                project=project,
                prompt=PromptReference(prompt.name, number=1),
                dataset_version=version,
                options=BatchOptions(concurrency=64),
            )

    job = timed(f"start with {rows:,} rows", start)
    began = time.perf_counter()
    done = run_batch_pump(Times(run=seconds, idle=0.0))
    rate = done / (time.perf_counter() - began)
    print(f"{'one pump of 64 slots':<38}{rate:>12,.0f} rows/s")
    read(job)
    stop_and_retry(job)


def widen(version: DatasetVersion, rows: int) -> DatasetVersion:
    """Give a small dataset version so many rows."""
    with organization_scope(version.organization_id), connection.cursor() as cursor:
        cursor.execute(ADD_ROWS, [version.organization_id, version.id, rows])
        version.row_count = rows
        version.save(update_fields=["row_count"])
    return version


def read(job: BatchJob) -> None:
    """What the pages ask."""
    with organization_scope(job.organization_id):
        found = BatchJob.objects.select_related("dataset_version").get(pk=job.pk)
        timed("progress", lambda: queries.progress(found))
        timed("latest results", lambda: pages.latest_results(found))
        timed("first page of results", lambda: pages.result_page(found))
        differing = ResultFilters(match="differs")
        timed("page of those that differ (none)", lambda: pages.result_page(found, differing))
        nothing = ResultFilters(search="nowhere")
        timed("search that finds nothing", lambda: pages.result_page(found, nothing))


def stop_and_retry(job: BatchJob) -> None:
    """What moves many rows at once."""

    def cancel() -> None:
        with organization_scope(job.organization_id):
            services.cancel_batch(actor=SYSTEM, job=job)

    def retry() -> None:
        with organization_scope(job.organization_id):
            services.retry_failed(actor=SYSTEM, job=job)

    timed("stop", cancel)
    timed("sweep that ends it", sweep)
    size = timed("CSV of all rows", lambda: sum(map(len, write_results(reload(job), "csv"))))
    print(f"{'its size':<38}{size / 1e6:>12,.1f} MB")
    timed("retry of all that were stopped", retry)
