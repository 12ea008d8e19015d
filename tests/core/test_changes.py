import asyncio
import threading
from collections.abc import Callable

import psycopg
import pytest
import redis as redis_library
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from apps.core import changes, ids
from apps.core import redis as core_redis
from apps.core.change_readers import ChangeReader, connection_parameters
from apps.core.changes import ChangeLine, Position
from apps.core.models import Change
from apps.core.scope import organization_scope, system_scope

DEAD = "redis://127.0.0.1:1/0"


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


def read_since(position: Position) -> tuple[list[ChangeLine], Position]:
    """What a reader that stands at a position would be told."""
    with system_scope(), connection.cursor() as cursor:
        cursor.execute(changes.READ, [position.transaction_id])
        return changes.advance(position, cursor.fetchall())


def keys(lines: list[ChangeLine]) -> list[str]:
    return [line.key for line in lines]


@pytest.mark.django_db
def test_append__in_a_scope__names_its_organization() -> None:
    organization_id = ids.uuid7()
    with organization_scope(organization_id):
        changes.append("label", "prompt 1")
    changes.append("plan", "all")
    with system_scope():
        found = set(Change.objects.values_list("kind", "key", "organization_id"))
    assert found == {("label", "prompt 1", organization_id), ("plan", "all", None)}


@pytest.mark.django_db(transaction=True)
def test_read_since__start__gives_only_what_follows() -> None:
    changes.append("label", "before")
    lines, position = read_since(Position())
    assert lines == []
    changes.append("label", "a")
    changes.append("label", "b")
    lines, position = read_since(position)
    assert keys(lines) == ["a", "b"]
    lines, position = read_since(position)
    assert lines == []


@pytest.mark.django_db(transaction=True)
def test_read_since__transaction_commits_late__is_not_missed() -> None:
    _, position = read_since(Position())
    appended, commit = threading.Event(), threading.Event()

    def late() -> None:
        with transaction.atomic():
            changes.append("label", "late")
            appended.set()
            commit.wait(5)
        connection.close()

    thread = threading.Thread(target=late)
    thread.start()
    appended.wait(5)
    changes.append("label", "early")
    lines, position = read_since(position)
    assert keys(lines) == ["early"]
    lines, position = read_since(position)
    assert lines == []
    commit.set()
    thread.join()
    lines, position = read_since(position)
    assert keys(lines) == ["late"]
    assert read_since(position)[0] == []


@pytest.mark.django_db(transaction=True)
def test_read_since__rolled_back__is_never_seen() -> None:
    _, position = read_since(Position())
    with transaction.atomic():
        changes.append("label", "x")
        transaction.set_rollback(True)
    assert read_since(position)[0] == []


@pytest.mark.django_db
def test_trim__old_lines__go() -> None:
    with system_scope():
        Change(kind="label", key="old", created_at=timezone.now() - changes.KEPT * 2).save(force_insert=True)
        Change(kind="label", key="new").save(force_insert=True)
    assert changes.trim() == 1
    with system_scope():
        assert Change.objects.get().key == "new"


class Seen:
    """What a reader was told."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.resets = 0

    def change(self, line: ChangeLine) -> None:
        self.keys.append(line.key)

    def reset(self) -> None:
        self.resets += 1


def follow(
    reader: ChangeReader, act: Callable[[], None], told: Callable[[], bool], *, seconds: float = 5
) -> None:
    """Start the reader, act in a thread once it has read, and wait until it was told."""

    async def scenario() -> None:
        reader.start()
        await until(lambda: reader.stale_for() < 1)
        await asyncio.to_thread(act)
        await until(told, seconds=seconds)
        await reader.stop()
        await core_redis.close_async_client()

    asyncio.run(scenario())


@pytest.mark.django_db(transaction=True)
def test_change_reader__connection_killed__goes_on_and_misses_nothing() -> None:
    seen = Seen()

    def kill_and_append() -> None:
        with psycopg.connect(**connection_parameters(), autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND usename = current_user AND pid <> pg_backend_pid() AND query LIKE '%core_change%'"
                " AND backend_type = 'client backend'"
            )
        changes.append("label", "after")
        connection.close()

    follow(
        ChangeReader(on_change=seen.change, on_reset=seen.reset, poll_seconds=0.05),
        kill_and_append,
        lambda: seen.keys == ["after"],
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("redis_alive", [True, False])
def test_change_reader__append__is_told_within_a_second(
    settings: Settings, redis: redis_library.Redis, redis_alive: bool
) -> None:
    if not redis_alive:
        settings.REDIS_URL = DEAD
    seen = Seen()

    def append() -> None:
        changes.append("api_key", "revoked")
        connection.close()

    reader = ChangeReader(on_change=seen.change, on_reset=seen.reset, poll_seconds=0.1)
    assert reader.stale_for() == float("inf")
    follow(reader, append, lambda: seen.keys == ["revoked"], seconds=1)
    assert seen.resets == 0


@pytest.mark.django_db(transaction=True)
def test_change_reader__bell__rings_sooner_than_the_poll(redis: redis_library.Redis) -> None:
    seen = Seen()

    def append() -> None:
        changes.append("label", "x")
        connection.close()

    async def scenario() -> None:
        reader = ChangeReader(on_change=seen.change, on_reset=seen.reset, poll_seconds=30)
        reader.start()
        # The bell is heard once the subscription stands.
        await until(lambda: reader.stale_for() < 30)
        for _ in range(40):
            # The first rings may come before the subscription stands.
            await asyncio.to_thread(append)
            await asyncio.sleep(0.05)
            if seen.keys:
                break
        await reader.stop()
        await core_redis.close_async_client()

    asyncio.run(scenario())
    assert set(seen.keys) == {"x"}


@pytest.mark.django_db(transaction=True)
def test_change_reader__callback_fails__delivers_again() -> None:
    seen = Seen()
    failures = [RuntimeError("first"), RuntimeError("second")]

    def fragile(line: ChangeLine) -> None:
        if failures:
            raise failures.pop()
        seen.change(line)

    def append() -> None:
        changes.append("label", "x")
        connection.close()

    reader = ChangeReader(on_change=fragile, on_reset=seen.reset, poll_seconds=0.05)
    follow(reader, append, lambda: seen.keys == ["x"])


def test_change_reader__gap_longer_than_lines_are_kept__resets(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen()
    reader = ChangeReader(on_change=seen.change, on_reset=seen.reset)
    reader._take([(5, 1, "label", "before", None)], started=100.0)
    reader._take([(6, 1, "label", "before", None), (6, 2, "label", "x", None)], started=101.0)
    assert (seen.resets, seen.keys) == (0, ["x"])
    reader._take([(9, None, None, None, None)], started=101.0 + changes.KEPT.total_seconds())
    assert seen.resets == 1
