import pytest
import redis as redis_library
from django.db import transaction
from pytest_django import Settings
from rq.job import Job
from rq.serializers import JSONSerializer

from apps.core import queue

DEAD = "redis://127.0.0.1:1/0"


@pytest.mark.django_db(transaction=True)
def test_enqueue__inside_a_transaction__rings_after_the_commit(redis: redis_library.Redis) -> None:
    with transaction.atomic():
        queue.enqueue("apps.batches.jobs.pump", "bat_1", queue="interactive")
        assert queue.queue_depth("interactive") == 0
    assert queue.queue_depth("interactive") == 1
    assert queue.queue_depth("default") == 0
    job = queue.get_queue("interactive").jobs[0]
    assert (job.func_name, job.args) == ("apps.batches.jobs.pump", ["bat_1"])


@pytest.mark.django_db(transaction=True)
def test_enqueue__job__is_json_and_retries(redis: redis_library.Redis) -> None:
    queue.enqueue("apps.batches.jobs.pump", "bat_1")
    job_id = queue.get_queue().job_ids[0]
    job = Job.fetch(job_id, connection=redis, serializer=JSONSerializer)
    assert job.retries_left == 3
    assert redis.hget(f"rq:job:{job_id}", "data") is not None


@pytest.mark.django_db(transaction=True)
def test_enqueue__rolled_back__rings_nobody(redis: redis_library.Redis) -> None:
    with transaction.atomic():
        queue.enqueue("apps.batches.jobs.pump", "bat_1")
        transaction.set_rollback(True)
    assert queue.queue_depth() == 0


@pytest.mark.django_db(transaction=True)
def test_enqueue__redis_dead__is_swallowed(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings.REDIS_URL = DEAD
    with transaction.atomic():
        queue.enqueue("apps.batches.jobs.pump", "bat_1")
    assert "redis_is_away" in caplog.text
    assert queue.queue_depth() is None


def test_enqueue__unknown_queue__is_refused() -> None:
    with pytest.raises(ValueError, match="unknown queue"):
        queue.enqueue("apps.batches.jobs.pump", queue="nowhere")
