import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from apps.core.queue import get_queue
from promptsaas.worker import wait_for_worker

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60


@pytest.fixture
def worker(redis: Redis) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, str(ROOT / "manage.py"), "worker"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


@pytest.mark.slow
def test_worker__asked_to_end__lets_its_job_finish(redis: Redis, worker: subprocess.Popen[bytes]) -> None:
    job = get_queue().enqueue_call("tests.support.jobs.begin_and_wait", args=("kind",))
    assert redis.blpop(["kind:begun"], PATIENCE_SECONDS)
    assert wait_for_worker()
    worker.send_signal(signal.SIGTERM)
    redis.rpush("kind:go", "1")
    assert worker.wait(PATIENCE_SECONDS) == 0
    assert redis.lpop("kind:done") == b"1"
    assert job.is_finished


def test_wait_for_worker__nobody_listens__says_so(redis: Redis) -> None:
    assert not wait_for_worker(seconds=0.05)
