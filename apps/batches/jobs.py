"""RQ and cron entry points."""

import asyncio
from uuid import UUID

import uvloop

from apps.batches import sweeping
from apps.batches.pumping import run_pump
from apps.batches.services import purge_unused_rows, scale_tests, stream_telling, sweep_preparations
from apps.batches.services.openai_advancing import advance
from apps.batches.services.openai_files import purge_expired_files, purge_left_answers
from apps.batches.services.openai_ringing import ring_waiting
from apps.batches.services.preparing_work import JOB as PREPARE_JOB
from apps.batches.services.preparing_work import JOB_SECONDS, work_off
from apps.core import queue

PREPARING_SECONDS = 60.0


def pump(pump_id: str) -> int:
    """Run a pump that was rung; returns how many rows it completed. SIGTERM makes it hand over and end."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run_pump(UUID(pump_id)))


def sweep() -> None:
    """Every five seconds, in the cron process: see `sweeping.sweep`."""
    sweeping.sweep()


def tell_streams() -> None:
    """Every five seconds, in the cron process: see `stream_telling`."""
    stream_telling.tell_streams()


def advance_openai_batch(batch_id: str) -> bool:
    """Check the file of an OpenAI batch, or write its answers; whether anything was due."""
    return advance(UUID(batch_id))


def sweep_openai_batches() -> None:
    """Every quarter of a minute, in the cron process: ring for OpenAI batches whose ring was lost."""
    ring_waiting()


def purge_openai_files() -> None:
    """Every ten minutes: forget expired files of `/v1/files`, and answers that no file will hold."""
    purge_expired_files()
    purge_left_answers()


def prepare_rows(preparation_id: str) -> None:
    """Take rows for a batch that was rung for; rings for itself again while there is more to do."""
    if work_off(UUID(preparation_id), PREPARING_SECONDS):
        queue.enqueue(PREPARE_JOB, preparation_id, queue="bulk", timeout=JOB_SECONDS)


def sweep_rows() -> None:
    """Every fifteen seconds, in the cron process: ring for rows that nobody takes."""
    sweep_preparations()


def purge_rows() -> None:
    """Every hour: give up rows that were taken for batches which nobody started."""
    purge_unused_rows()


def advance_scale_test(organization_id: str, scale_test_id: str) -> bool:
    """Start the next step of a scale test whose batch has ended; whether anything was due."""
    return scale_tests.advance_scale_test(UUID(organization_id), UUID(scale_test_id))


def sweep_scale_tests() -> None:
    """Every five seconds, in the cron process: go on with scale tests whose ring was lost."""
    scale_tests.sweep_scale_tests()
