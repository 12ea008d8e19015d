"""A database of a bench's own: a clone of the migrated template, dropped at the end."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import django
import psycopg

from promptsaas.embedded import in_use

TEST = "test"
BENCH = "bench"
"""Servers that write through to the disk as in production; for what measures or kills them."""


@contextmanager
def own_database(profile: str = TEST) -> Iterator[None]:
    """Set Django up on a fresh database. What needs the settings may be imported inside only."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "promptsaas.settings")
    with ExitStack() as stack:
        if profile != TEST:
            found = stack.enter_context(in_use(profile))
            os.environ["DATABASE_URL"] = found.database_url
            os.environ["MIGRATION_DATABASE_URL"] = found.migration_database_url
            os.environ["REDIS_URL"] = found.redis_url
        django.setup()
        from tests.support import databases  # noqa: PLC0415 - changes the loaded settings
        from tests.support.environment import DATABASE, configure  # noqa: PLC0415

        servers = configure()
        if servers.embedded:
            stack.enter_context(in_use(TEST))
        databases.make_clone(servers, DATABASE)
        try:
            yield
        finally:
            _drop(lambda: databases.drop_clone(servers, DATABASE))


def _drop(drop: object) -> None:
    """Drop the database once the sessions of killed processes have gone."""
    from django.db import connections  # noqa: PLC0415

    assert callable(drop)
    connections.close_all()
    for _ in range(50):
        try:
            drop()
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse):
            time.sleep(0.2)
        else:
            return
    print("the database is still in use and was left behind")
