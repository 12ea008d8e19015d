"""Rows of the lists that `bench.lists` measures besides prompts, written past the services."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from django.db import connection

from apps.batches.models import BatchJob
from apps.core import crypto
from apps.core.scope import organization_scope
from apps.datasets.models import DatasetVersion
from apps.providers.pricing import Price
from apps.providers.types import Usage
from apps.runs import record_rows
from apps.runs.types import RunError, RunRecord
from apps.tenants.models import Project
from bench.batch_scale_steps import widen
from tests.factories import make_batch, make_dataset_version, make_run_record

BATCH: Final = 2_000
TOLERANT: Final = "SET LOCAL statement_timeout = '5min'"
MODELS: Final = ("sandbox/standard", "sandbox/fast", "openai/gpt-4.1", "anthropic/claude-sonnet-4")
TIMEOUT: Final = RunError("provider_timeout", "provider_error", "No answer within 60 s.", 504)
# The rarest end user and the rarest error have this many runs.
RARE_USERS: Final = 20

# The id of a moment, as the product makes them.
ID: Final = """(lpad(to_hex((extract(epoch FROM {moment}) * 1000)::bigint), 12, '0') || '7'
    || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid"""
FEEDBACK: Final = """
    INSERT INTO runs_feedback (id, organization_id, project_id, run_id, giver, giver_name, score,
        created_at, updated_at)
    SELECT gen_random_uuid(), organization_id, project_id, id, 'user:bench', 'bench', 1 + latency_ms %% 5,
        now(), now()
    FROM runs_run WHERE organization_id = %s AND project_id = %s AND latency_ms %% %s = 0
"""
EVENTS: Final = f"""
    INSERT INTO audit_auditevent (id, organization_id, occurred_at, action, outcome, actor_kind, actor_role,
        object_type, object_id, object_name, changes, request_id, detail_digests)
    SELECT {ID.format(moment="moment")}, %s, moment,
        'prompt.' || (ARRAY['created', 'updated', 'archived'])[1 + n %% 3],
        'done', 'system', '', 'prompts.Prompt', 'prm_' || n %% 500, 'prompt ' || n %% 500, '{{}}', '', '{{}}'
    FROM (SELECT n, now() - make_interval(secs => n * 20) AS moment FROM generate_series(1, %s) AS n) AS each
"""
BATCHES: Final = f"""
    INSERT INTO batches_batchjob
    SELECT (jsonb_populate_record(job, jsonb_build_object(
        'id', {ID.format(moment="now() - make_interval(secs => n)")}, 'name', 'Batch ' || n,
        'status', 'completed', 'pending', 0, 'succeeded', job.total, 'cost_used', n %% 977 / 1000.0,
        'completed_at', now()))).*
    FROM batches_batchjob AS job, generate_series(1, %s) AS n WHERE job.id = %s
"""
DATASETS: Final = f"""
    INSERT INTO datasets_dataset
    SELECT (jsonb_populate_record(found, jsonb_build_object(
        'id', {ID.format(moment="now() - make_interval(secs => n)")}, 'name', 'Copy ' || n))).*
    FROM datasets_dataset AS found, generate_series(1, %s) AS n WHERE found.id = %s
"""
VERSIONS: Final = """
    INSERT INTO datasets_datasetversion
    SELECT (jsonb_populate_record(version, jsonb_build_object(
        'id', gen_random_uuid(), 'dataset_id', dataset.id))).*
    FROM datasets_datasetversion AS version, datasets_dataset AS dataset
    WHERE version.id = %s AND dataset.project_id = %s AND dataset.id <> version.dataset_id
"""


def write_runs(project: Project, count: int) -> None:
    """So many sealed runs of the last month, through the recorder's own statement."""
    chance = random.Random(3)
    with organization_scope(project.organization_id):
        key = crypto.data_key(project.organization_id)
    moments = sorted(
        datetime.now(UTC) - timedelta(seconds=chance.randint(0, 2_500_000)) for _ in range(count)
    )
    records = (_record(project, chance, number, moment) for number, moment in enumerate(moments))
    while part := list(islice(records, BATCH)):
        rows = sorted((record_rows.seal(each, key) for each in part), key=lambda row: row.run_id)
        with organization_scope(project.organization_id), connection.cursor() as cursor:
            cursor.execute(TOLERANT)
            cursor.execute(record_rows.STATEMENT, record_rows.parameters(rows))


def _record(project: Project, chance: random.Random, number: int, moment: datetime) -> RunRecord:
    failed = chance.random() < 0.03
    record = make_run_record(
        project=project,
        at=moment,
        model=chance.choice(MODELS),
        source=chance.choice(("gateway", "gateway", "playground", "batch")),
        error=TIMEOUT if failed else None,
        request_id=f"req_bench{number}",
        text="A friendly answer of some length, as models give them. " * 4,
    )
    usage = Usage(chance.randint(10, 4_000), chance.randint(5, 900), 0)
    price = (
        None if failed else Price("priced", Decimal(chance.randint(1, 900_000)) / 10**7, {"source": "bench"})
    )
    result = replace(record.result, usage=usage, price=price, latency_ms=chance.randint(80, 30_000))
    user = "rare" if number % (max(1, 100_000 // RARE_USERS)) == 0 else f"customer-{chance.randint(1, 500)}"
    return replace(record, result=result, request=replace(record.request, user=user))


def write_feedback(project: Project, *, every: int = 10) -> None:
    """One voice on about one of `every` runs."""
    _execute(project, FEEDBACK, [project.organization_id, project.id, every])


def write_events(project: Project, count: int) -> None:
    """So many events of the audit trail, unsealed."""
    _execute(project, EVENTS, [project.organization_id, count])


def write_dataset(project: Project, rows: int) -> DatasetVersion:
    """A dataset of so many rows."""
    return widen(make_dataset_version(project=project, name="Wide"), rows)


def write_datasets(project: Project, count: int) -> None:
    """So many copies of a small dataset, in parts that a statement gets through."""
    version = make_dataset_version(project=project)
    _execute(project, DATASETS, [count, version.dataset_id])
    _execute(project, VERSIONS, [version.id, project.id])


def write_batches(project: Project, count: int) -> BatchJob:
    """So many finished copies of a small batch; returns the small one."""
    job = make_batch(project=project)
    _execute(project, BATCHES, [count, job.id])
    return job


def _execute(project: Project, statement: str, parameters: Sequence[Any]) -> None:
    with organization_scope(project.organization_id), connection.cursor() as cursor:
        cursor.execute(TOLERANT)
        cursor.execute(statement, parameters)
