import asyncio

import pytest
from django.test import Client
from pytest_django import Settings

from apps.core import health
from apps.core.partitions import PartitionState


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_last", None)


@pytest.mark.django_db
def test_readyz__migrated_database__is_ready(client: Client) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    checks = response.json()["checks"]
    assert checks.pop("semantic_cache") in (True, False)  # as the server at hand has pgvector
    assert checks == {"database": True, "migrations": True, "partitions": True, "redis": True}
    assert response["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_readyz__redis_away__is_ready_and_told(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["checks"]["redis"] is False


@pytest.mark.django_db
def test_readyz__migration_not_applied__is_unavailable(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_own_migrations", lambda: frozenset({("core", "9999_future")}))
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["migrations"] is False


@pytest.mark.django_db
def test_readyz__partitions_run_out__is_unavailable(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "partitions_ahead", lambda: [PartitionState("runs_run", 1)])
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["partitions"] is False


def test_healthz__no_database__lives(client: Client) -> None:
    assert client.get("/healthz").json()["status"] == "ok"


@pytest.mark.django_db
def test_readyz__posted__is_refused(client: Client) -> None:
    assert client.post("/readyz").status_code == 405


@pytest.mark.django_db(transaction=True)
def test_areadiness__event_loop__answers() -> None:
    assert asyncio.run(health.areadiness()).status == 200
