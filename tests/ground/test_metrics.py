"""The state that cron tells, and that nobody can read any of it at the public origin."""

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from django.conf import settings as configured
from django.db import connections
from django.test import Client
from prometheus_client import CollectorRegistry
from pytest_django import Settings
from redis import Redis

from apps.batches.models import BatchJob, Pump
from apps.batches.services.ringing import SLOTS
from apps.core import redis as product_redis
from apps.core.metrics import counted
from apps.core.models import OutgoingMail
from apps.core.queue import get_queue
from apps.core.scope import organization_scope, system_scope
from apps.gateway.routes import find_route
from apps.runs.models import UncountedRuns
from promptsaas import __version__, metrics_folder
from promptsaas.cron import PeriodicJob, run_once
from promptsaas.metrics.readings import READINGS, Family, Reading
from promptsaas.metrics.state import StateCollector
from promptsaas.routes import belongs_to_gateway
from tests.factories import make_background_run, make_batch, make_project, make_run

SOURCES = ("postgres", "redis")
ROOT = Path(__file__).resolve().parents[2]


def read(collector: StateCollector | None = None) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector or StateCollector())
    return registry


@pytest.mark.django_db(transaction=True)
def test_state__what_waits__is_counted_with_its_age(redis: Redis) -> None:
    project = make_project()
    make_run(project=project, at=datetime.now(UTC) - timedelta(minutes=10))
    get_queue().enqueue_call("apps.batches.jobs.sweep")
    with system_scope():
        OutgoingMail(recipients=["a@example.com"], subject="Hello", sealed_message=b"").save(
            force_insert=True
        )
    with organization_scope(project.organization_id):
        waiting = sum(len(row.run_ids) for row in UncountedRuns.objects.all())
    found = read()
    assert found.get_sample_value("promptsaas_queue_depth", {"queue": "default"}) == 1
    assert found.get_sample_value("promptsaas_queue_depth", {"queue": "interactive"}) == 0
    age = found.get_sample_value("promptsaas_queue_oldest_job_age_seconds", {"queue": "default"})
    assert 0 < (age or 0) < 60
    assert found.get_sample_value("promptsaas_mail_waiting") == 1
    assert found.get_sample_value("promptsaas_mail_failed") == 0
    assert found.get_sample_value("promptsaas_outbox_waiting") is not None
    assert found.get_sample_value("promptsaas_rollup_waiting_runs") == waiting >= 1
    # What waits is as old as its run.
    assert 600 <= (found.get_sample_value("promptsaas_rollup_lag_seconds") or 0) < 660
    assert found.get_sample_value("promptsaas_partition_headroom_days", {"table": "runs_run"}) in range(
        13, 21
    )
    assert found.get_sample_value("promptsaas_partition_overflow_rows", {"table": "runs_run"}) == 0
    assert (found.get_sample_value("promptsaas_database_connections", {"state": "active"}) or 0) >= 1
    for source in ("postgres", "redis"):
        assert found.get_sample_value("promptsaas_source_up", {"source": source}) == 1


@pytest.mark.django_db(transaction=True)
def test_state__batches__say_how_many_workers_they_have_use_for(redis: Redis) -> None:
    project = make_project()
    sampled, wide = make_batch(project=project, rows=8), make_batch(project=project, rows=6)
    make_background_run(project=project)
    with organization_scope(project.organization_id):
        # Two rows of the sample are taken, two more may be; of the other job only one call at once may run.
        BatchJob.objects.filter(id=sampled.id).update(claim_limit=4, next_number=3, pending=6, running=2)
        BatchJob.objects.filter(id=wide.id).update(concurrency=1)
        sampled.refresh_from_db()
        assert sampled.claimable == 2
    with system_scope():
        Pump.objects.all().delete()
        later = {"expires_at": datetime.now(UTC) + timedelta(minutes=1), "started_at": datetime.now(UTC)}
        Pump.objects.bulk_create(Pump(id=uuid4(), slots=slots, **later) for slots in (SLOTS, SLOTS, 0))
    found = read()
    assert found.get_sample_value("promptsaas_batch_claimable_rows") == 2 + 6
    assert found.get_sample_value("promptsaas_batch_wanted_slots") == 2 + 2 + 1
    assert found.get_sample_value("promptsaas_batch_pumps", {"state": "working"}) == 2
    assert found.get_sample_value("promptsaas_batch_pumps", {"state": "draining"}) == 1
    assert found.get_sample_value("promptsaas_batch_pumps", {"state": "rung"}) == 0
    assert found.get_sample_value("promptsaas_batch_pump_slots", {"state": "working"}) == 2 * SLOTS
    assert found.get_sample_value("promptsaas_background_waiting_runs") == 1
    assert found.get_sample_value("promptsaas_background_wanted_slots") == 1
    assert 0 <= (found.get_sample_value("promptsaas_background_oldest_waiting_age_seconds") or -1) < 60


@pytest.mark.django_db(transaction=True)
def test_state__one_statement_too_slow__costs_that_figure_only(redis: Redis) -> None:
    slow = Reading("SELECT pg_sleep(30)::text", (Family("slow", "Slow."),))
    started = time.monotonic()
    found = read(StateCollector((slow, READINGS[-1])))
    assert time.monotonic() - started < 10
    assert found.get_sample_value("slow") is None
    assert (found.get_sample_value("promptsaas_database_size_bytes") or 0) > 1_000_000
    assert found.get_sample_value("promptsaas_source_up", {"source": "postgres"}) == 0


@pytest.fixture
def nothing_lives(settings: Settings) -> Iterator[None]:
    """Postgres and Redis are away."""
    kept = dict(configured.DATABASES["default"])
    connections["default"].close()
    configured.DATABASES["default"] |= {"HOST": "127.0.0.1", "PORT": "9"}
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    product_redis._clients.clear()
    yield
    configured.DATABASES["default"] |= kept
    product_redis._clients.clear()


@pytest.mark.django_db(transaction=True)
def test_state__postgres_and_redis_away__is_told_at_once(nothing_lives: None) -> None:
    started = time.monotonic()
    found = read()
    assert time.monotonic() - started < 5
    told = {source: found.get_sample_value("promptsaas_source_up", {"source": source}) for source in SOURCES}
    assert told == {"postgres": 0, "redis": 0}
    assert found.get_sample_value("promptsaas_queue_depth", {"queue": "default"}) is None


@pytest.mark.django_db
def test_run_once__task_of_cron__is_told() -> None:
    def fail() -> None:
        raise ValueError("broken")

    good, bad = PeriodicJob("tests.good", 1), PeriodicJob("tests.bad", 1)
    run_once(good, lambda: None)
    run_once(bad, fail)
    told = counted()
    at = told.get_sample_value("promptsaas_cron_job_last_success_timestamp_seconds", {"task": "tests.good"})
    assert at is not None
    assert abs(at - time.time()) < 60
    assert told.get_sample_value("promptsaas_cron_job_duration_seconds", {"task": "tests.bad"}) is not None
    labels = {"task": "tests.bad", "outcome": "failed"}
    assert told.get_sample_value("promptsaas_cron_job_turns_total", labels) == 1
    assert (
        told.get_sample_value("promptsaas_cron_job_last_success_timestamp_seconds", {"task": "tests.bad"})
        is None
    )


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/v1/metrics", "/api/v1/metrics"])
def test_metrics__at_the_public_origin__are_nowhere(client: Client, path: str) -> None:
    assert find_route("GET", path) is None
    if not belongs_to_gateway("GET", path):
        answer = client.get(path, follow=True)
        assert answer.status_code == 404 or b"Sign in" in answer.content
        assert b"# HELP" not in answer.content


def test_caddyfile__the_port_of_metrics__is_not_named() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    port = compose["services"]["web"]["environment"]["METRICS_ADDRESS"].rpartition(":")[2]
    assert port not in (ROOT / "deploy/Caddyfile").read_text()
    published = {
        name: service["ports"] for name, service in compose["services"].items() if "ports" in service
    }
    assert published == {"router": ["80:80", "443:443"]}


def test_prepare_metrics_folder__one_of_ours__is_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("METRICS_ADDRESS", "127.0.0.1:9464")
    monkeypatch.setenv(metrics_folder.VARIABLE, "")
    for _ in range(2):
        metrics_folder.prepare_metrics_folder("web")
        [folder] = tmp_path.iterdir()
        assert list(folder.iterdir()) == []
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "counter_1.db").write_bytes(b"old")
    folder.chmod(0o777)
    with pytest.raises(SystemExit, match="belongs to somebody else"):
        metrics_folder.prepare_metrics_folder("web")


def test_prepare_metrics_folder__no_port__is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_ADDRESS", "127.0.0.1")
    with pytest.raises(SystemExit, match="host:port"):
        metrics_folder.prepare_metrics_folder("web")


def test_version__is_that_of_the_project() -> None:
    assert f'\nversion = "{__version__}"\n' in (ROOT / "pyproject.toml").read_text()
