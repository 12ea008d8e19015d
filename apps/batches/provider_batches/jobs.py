"""Entry points of queue and cron."""

import asyncio
import signal
from contextlib import suppress
from uuid import UUID

import uvloop

from apps.batches.provider_batches import sweeping
from apps.batches.provider_batches.advancing import advance


def advance_one(batch_id: str) -> int:
    """Do what is due of a provider's batch; SIGTERM breaks it off, and it is done again elsewhere."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_advance(UUID(batch_id)))


def sweep() -> None:
    """Every five seconds, in the cron process: see `sweeping.sweep`."""
    sweeping.sweep()


async def _advance(batch_id: UUID) -> int:
    task = asyncio.create_task(advance(batch_id))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        with suppress(asyncio.CancelledError):
            return await task
        return 0
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
