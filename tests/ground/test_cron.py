import logging
import threading

import pytest
from django.utils.module_loading import import_string

from promptsaas import cron
from promptsaas.cron import JOBS, Cron, PeriodicJob

turns: list[str] = []
enough = threading.Event()


def fail() -> None:
    turns.append("fail")
    raise RuntimeError("on purpose")


def count() -> None:
    turns.append("count")
    if turns.count("count") >= 3 and turns.count("fail") >= 3:
        enough.set()


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.function)
def test_jobs__every_name__is_a_function(job: PeriodicJob) -> None:
    assert callable(import_string(job.function))
    assert job.every_seconds > 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.function)
def test_jobs__empty_database__run_without_error(job: PeriodicJob) -> None:
    import_string(job.function)()


@pytest.mark.django_db(transaction=True)
def test_cron__failing_job__is_logged_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    jobs = [PeriodicJob(f"{__name__}.{name}", 0.01) for name in ("fail", "count")]
    running = Cron(jobs)
    thread = threading.Thread(target=running.run)
    with caplog.at_level(logging.ERROR, logger=cron.__name__):
        thread.start()
        assert enough.wait(10)
        running.stop()
        thread.join(10)
    assert not thread.is_alive()
    assert {record.message for record in caplog.records} == {"cron.job_failed"}
