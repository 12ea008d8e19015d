"""Fixtures of all tests: a real Postgres and a real Valkey, from the embedded wheels or from the URLs."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import redis as redis_library
from django.db import connections
from django.test import TransactionTestCase
from pytest_django import DjangoDbBlocker

from apps.core.limit_script import EPOCH
from promptsaas.embedded import in_use
from tests.support import databases
from tests.support.environment import DATABASE, PROFILE, configure, with_database
from tests.support.gateway import running_gateway
from tests.support.scheduling import Scheduling

SERVERS = configure()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """Share tests out between the processes of `pytest -n`."""
    return Scheduling(config, log)


@pytest.fixture(scope="session")
def servers() -> Iterator[None]:
    """Postgres and Valkey run, and nobody stops them before this session ends."""
    with ExitStack() as stack:
        if SERVERS.embedded:
            stack.enter_context(in_use(PROFILE))
        with redis_library.Redis.from_url(SERVERS.redis_url) as client:
            client.flushdb()
        yield


@pytest.fixture(scope="session")
def django_db_setup(
    servers: None, django_test_environment: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """A clone of the migrated template, in place of pytest-django's own database."""
    databases.make_clone(SERVERS, DATABASE)
    emptier = databases.Emptier(with_database(SERVERS.migration_database_url, DATABASE))
    with pytest.MonkeyPatch.context() as patch:
        # Django would call `flush` as the application's role, which may not TRUNCATE.
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda self: emptier())
        yield
    with django_db_blocker.unblock():
        connections.close_all()
    databases.drop_clone(SERVERS, DATABASE)


@pytest.fixture(scope="session")
def gateway_url(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running gateway."""
    with running_gateway(tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway.url


@pytest.fixture(scope="session")
def _redis_session(servers: None) -> Iterator[redis_library.Redis]:
    # Longer than any test waits for a blocking read.
    with redis_library.Redis.from_url(SERVERS.redis_url, socket_timeout=120) as client:
        yield client


@pytest.fixture
def redis(_redis_session: redis_library.Redis) -> redis_library.Redis:
    """A client on this worker's own, empty index."""
    _empty(_redis_session)
    return _redis_session


@pytest.fixture(autouse=True)
def _clean_redis(request: pytest.FixtureRequest) -> Iterator[None]:
    """Rate-limit counters, caches and queued jobs of one test never reach the next."""
    yield
    if _uses_servers(request):
        _empty(request.getfixturevalue("_redis_session"))


def _empty(client: redis_library.Redis) -> None:
    """Forget everything but the mark by which a running gateway knows that its limits were not forgotten."""
    epoch = client.get(EPOCH)
    client.flushdb()
    if epoch is not None:
        client.set(EPOCH, epoch)


def _uses_servers(request: pytest.FixtureRequest) -> bool:
    wanted = {"db", "transactional_db", "redis", "servers"}
    return (
        bool(wanted & set(request.fixturenames)) or request.node.get_closest_marker("django_db") is not None
    )
