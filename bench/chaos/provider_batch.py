"""Batches at a provider while their worker dies: `python -m bench.chaos.provider_batch [rows] [kills]`.

A stand-in of OpenAI with a batch endpoint takes a job of so many rows in batches of 500. It loses answers
after it has done what was asked, fails with 500 and 429, lets every tenth row expire, leaves every tenth out
and fails every tenth for its own fault. The one worker process, which sweeps, carries the provider batches
from step to step and pumps what is called directly, gets SIGKILL at random moments and is started anew. Then
each row must have one result and one usage record, and no row may have been sent in a batch twice.
"""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from typing import Any, Final

from bench.chaos.checks import line
from bench.chaos.support import Arena, arena

ROWS_A_BATCH: Final = 500
MOST_SECONDS: Final = 300.0
QUICK: Final = {
    "worker": 1.0,
    "poll": 0.3,
    "first_poll": 0.1,
    "first_wait": 0.1,
    "longest_wait": 1.0,
    "grace": 0.5,
}
FATES: Final = {3: " [expired]", 5: " [missing]", 7: " [error 500]"}


def main() -> int:
    """Run and print; 1 when a line says FAILED."""
    if sys.argv[1:] == ["worker"]:
        work()
        return 0
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 3_000
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    with arena() as place:
        from tests import fake_provider  # noqa: PLC0415 - needs the settings

        provider = fake_provider.start()
        try:
            return _try(place, provider, rows, kills)
        finally:
            fake_provider.stop(provider)


def work() -> None:
    """The worker: everything that cron, queue and pumps do for batches, until it is killed."""
    import asyncio  # noqa: PLC0415

    import django  # noqa: PLC0415

    django.setup()
    from django.conf import settings  # noqa: PLC0415

    settings.PROVIDER_BATCH_TIMES = QUICK
    settings.BATCH_LEASE_SECONDS = 2.0
    from apps.batches import sweeping  # noqa: PLC0415
    from apps.batches.provider_batches import sweeping as provider_sweeping  # noqa: PLC0415
    from apps.batches.provider_batches.advancing import advance  # noqa: PLC0415
    from apps.batches.provider_models import ProviderBatch  # noqa: PLC0415
    from apps.batches.pump import Times  # noqa: PLC0415
    from apps.batches.pumping import run_pump  # noqa: PLC0415
    from apps.batches.services import ring_pump  # noqa: PLC0415
    from apps.core.scope import system_scope  # noqa: PLC0415
    from apps.providers.batches.openai_batches import OpenAIBatches  # noqa: PLC0415
    from apps.providers.batches.types import Limits  # noqa: PLC0415

    OpenAIBatches.limits = Limits(ROWS_A_BATCH, OpenAIBatches.limits.size)
    while True:
        provider_sweeping.sweep()
        sweeping.sweep()
        with system_scope():
            due = list(
                ProviderBatch.all_organizations.filter(next_step_at__isnull=False).values_list(
                    "id", flat=True
                )
            )
            pump = ring_pump()
        for batch_id in due:
            asyncio.run(advance(batch_id))
        asyncio.run(run_pump(pump, Times(run=0.5, idle=0.0)))


def _try(place: Arena, provider: Any, rows: int, kills: int) -> int:
    job = _start(place, provider, rows)
    for operation in ("upload", "create", "get", "content"):
        provider.batches.faults[operation].extend(["lost", "500", "429", "refused"])
    began, killed = time.monotonic(), 0
    worker = _worker()
    while not _ended(place, job) and time.monotonic() - began < MOST_SECONDS:
        time.sleep(random.uniform(0.3, 3.0))
        if killed < kills:
            worker.kill()
            worker.wait()
            killed += 1
            worker = _worker()
    worker.kill()
    return _report(place, provider, job, rows, killed, time.monotonic() - began)


def _worker() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "bench.chaos.provider_batch", "worker"])


def _start(place: Arena, provider: Any, rows: int) -> Any:
    from django.conf import settings  # noqa: PLC0415 - needs the settings

    from apps.batches.models import Delivery  # noqa: PLC0415
    from apps.batches.services.starting import BatchOptions  # noqa: PLC0415
    from apps.core.scope import organization_scope  # noqa: PLC0415
    from apps.datasets.mapping import RowValues  # noqa: PLC0415
    from apps.providers.models import ProviderCredential  # noqa: PLC0415
    from tests.factories import make_batch, make_connection, make_content, make_price  # noqa: PLC0415

    settings.OUTBOUND_ALLOWED_HOSTS = [*settings.OUTBOUND_ALLOWED_HOSTS, provider.host]
    os.environ["OUTBOUND_ALLOWED_HOSTS"] = ",".join(settings.OUTBOUND_ALLOWED_HOSTS)
    project = place.project
    make_connection(project=project, name="batching", base_url=provider.base_url, models=("echo",))
    make_price(project=project, pattern="batching/*", batch_discount="50")
    with organization_scope(project.organization_id):
        ProviderCredential.objects.filter(name="batching").update(offers_batches=True)
    values = [RowValues({"text": f"row {n}{FATES.get(n % 10, '')}"}, None, {}) for n in range(rows)]
    declared = ({"name": "text", "type": "text", "required": True},)
    return make_batch(
        project=project,
        rows=values,
        content=make_content("{{ text }}", variables=declared, model="batching/echo"),
        options=BatchOptions(delivery=Delivery.PROVIDER_BATCH, concurrency=64),
    )


def _ended(place: Arena, job: Any) -> bool:
    from apps.batches.models import BatchJob  # noqa: PLC0415 - needs the settings
    from apps.core.scope import organization_scope  # noqa: PLC0415

    with organization_scope(place.project.organization_id):
        return BatchJob.objects.get(pk=job.pk).is_terminal


def _report(place: Arena, provider: Any, job: Any, rows: int, kills: int, seconds: float) -> int:
    from apps.batches.models import BatchItem, BatchJob  # noqa: PLC0415 - needs the settings
    from apps.billing.models import UsageEvent  # noqa: PLC0415
    from apps.core.scope import organization_scope  # noqa: PLC0415
    from apps.runs.models import Run  # noqa: PLC0415

    with organization_scope(place.project.organization_id):
        job = BatchJob.objects.get(pk=job.pk)
        direct = BatchItem.objects.filter(batch=job, direct=True).count()
        items = Counter(BatchItem.objects.filter(batch=job).values_list("status", flat=True))
        runs, usage = Run.objects.count(), UsageEvent.objects.count()
    sent = Counter(provider.batches.custom_ids())
    called = provider.calls["echo"]
    fated = sum(1 for number in range(rows) if number % 10 in FATES)
    failed = line("kills of the worker", kills, kills > 0)
    failed |= line("rows by status", dict(items), items == {"succeeded": rows})
    failed |= line("the job", job.status, job.status == "completed" and job.succeeded == rows)
    failed |= line("runs recorded", runs, runs == rows)
    failed |= line("usage records", usage, usage == rows)
    failed |= line("rows sent in batches", len(sent), len(sent) == rows)
    failed |= line("rows sent in a batch twice", sum(n > 1 for n in sent.values()), len(sent) == sent.total())
    failed |= line("rows that were called directly", direct, direct == fated)
    failed |= line("direct calls", called, called <= fated + kills * 64)
    failed |= line("seconds to the end", f"{seconds:.0f}", seconds < MOST_SECONDS)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
