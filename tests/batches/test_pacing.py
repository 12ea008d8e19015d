"""Providers set the pace: a row is made later rather than lost, and no organization fills a pump alone."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from apps.batches.claims import JobFacts
from apps.batches.models import JobStatus, Pump
from apps.batches.paces import pace_of
from apps.batches.pacing import Paces
from apps.batches.pump import Times
from apps.batches.services.starting import BatchOptions
from apps.core.ids import uuid7
from apps.providers.health import ConnectionHealth
from apps.providers.types import Connection, ProviderCallError
from tests.batches.support import items_of, reload, run_batch_pump
from tests.batches.test_pump import runs_and_usage
from tests.factories import make_batch, make_connection, make_content, make_project
from tests.fake_provider import FakeProvider, fake_provider

__all__ = ["fake_provider"]

TOO_MANY = ProviderCallError("slower", reason="rate_limited", retryable=True, retry_after=2.0)


def test_room__a_connection_that_refused__counts_what_is_in_flight_and_waits() -> None:
    now = [100.0]
    health = ConnectionHealth(uuid7(), _connection(), clock=lambda: now[0])
    job = _facts()

    async def find(_: JobFacts) -> tuple[ConnectionHealth, ...]:
        return (health,)

    async def work() -> list[int]:
        paces = Paces(find)
        rooms = [await paces.room(job, 50)]
        for _ in range(7):
            health.slots.take_now()
        health.ended(TOO_MANY)  # of eight in flight
        rooms.append(await paces.room(job, 50))
        told = paces.told([job.id, uuid7()])
        assert list(told) == [str(job.id)]
        assert told[str(job.id)]["calls"] == 4
        now[0] += 2
        held = paces.began(job.id)
        rooms.append(await paces.room(job, 50))
        paces.ended(held)
        return [*rooms, await paces.room(job, 50)]

    assert asyncio.run(work()) == [50, 0, 3, 4]


@pytest.mark.django_db(transaction=True)
def test_pump__a_provider_that_refuses_for_a_moment__delays_rows_and_fails_none(
    fake_provider: FakeProvider,
) -> None:
    project = make_project()
    make_connection(project=project, name="local", base_url=fake_provider.base_url, models=("*",))
    job = make_batch(
        project=project,
        rows=6,
        content=make_content(),
        options=BatchOptions(model="local/limited-2", concurrency=2),
    )

    run_batch_pump(Times(idle=0.0, look=0.02, watch=0.05))

    job = reload(job)
    assert (job.status, job.succeeded, job.failed) == (JobStatus.COMPLETED, 6, 0)
    assert {item.attempts for item in items_of(job)} == {1}
    assert runs_and_usage(job) == (6, 6)
    assert fake_provider.calls["limited-2"] == 8
    assert Pump.objects.filter(started_at__isnull=False).count() == 0


def _connection() -> Connection:
    return Connection("local", base_url="https://models.example/v1", credential_id=_ID)


def _facts() -> JobFacts:
    return JobFacts(**_FACTS)


_ID = UUID(int=7)
_FACTS: dict[str, Any] = {
    "id": _ID,
    "organization_id": _ID,
    "project_id": _ID,
    "prompt_name": "p",
    "variants": (),
    "dataset_version_id": _ID,
    "source_rows": 1,
    "livemode": True,
    "api_key_id": None,
    "capped": False,
    "work": {},
}


@pytest.mark.django_db
def test_pace_of__as_its_pumps_told__adds_up_calls_and_names_the_end_of_the_rest() -> None:
    job, now = make_batch(), timezone.now()
    assert pace_of(job) is None

    until = (now + timedelta(seconds=30)).timestamp()
    for told in ({"calls": 3}, {"calls": 4, "until": until}):
        Pump.objects.create(
            id=uuid7(), slots=8, expires_at=now + timedelta(minutes=1), paces={str(job.id): told}
        )

    pace = pace_of(job)
    assert pace is not None
    assert pace.calls == 7
    assert pace.resumes_at is not None
    assert pace.resumes_at.timestamp() == pytest.approx(until)
    assert pace_of(make_batch()) is None
