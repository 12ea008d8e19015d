"""Embedded Postgres and Valkey: real servers from wheels, used when DATABASE_URL and REDIS_URL are unset.

A profile ("demo", "test", "bench") is one pair of servers with its own data. Both listen on unix sockets in
a 0700 folder only. Starting is explicit; `endpoints()` and `secret()` never start anything.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from promptsaas.embedded import postgres, secret_files, valkey
from promptsaas.embedded.places import PROFILES, EmbeddedError, Places
from promptsaas.embedded.processes import file_lock

__all__ = [
    "PROFILES",
    "EmbeddedError",
    "Endpoints",
    "Places",
    "endpoints",
    "ensure_running",
    "in_use",
    "profile_from_environment",
    "secret",
    "status",
    "stop",
    "stop_if_unused",
]


@dataclass(frozen=True)
class Endpoints:
    """The addresses of a profile's servers."""

    database_url: str
    migration_database_url: str
    redis_url: str


def profile_from_environment() -> str:
    """PROMPTSAAS_PROFILE, "demo" by default."""
    return os.environ.get("PROMPTSAAS_PROFILE") or "demo"


def _places(profile: str) -> Places:
    if profile not in PROFILES:
        raise EmbeddedError(f"unknown profile {profile!r}: one of {', '.join(PROFILES)}")
    return Places(profile)


def endpoints(profile: str) -> Endpoints:
    """The addresses, whether or not the servers run."""
    return endpoints_at(_places(profile))


def endpoints_at(places: Places) -> Endpoints:
    """The addresses of the servers at these places."""
    return Endpoints(
        database_url=postgres.address(places, "promptsaas_app"),
        migration_database_url=postgres.address(places, "promptsaas_owner"),
        redis_url=valkey.address(places),
    )


def ensure_running(profile: str) -> Endpoints:
    """Start what does not answer, make roles and database at the first start. Raises EmbeddedError."""
    return ensure_running_at(_places(profile))


def ensure_running_at(places: Places) -> Endpoints:
    """`ensure_running` for given places."""
    places.make()
    with file_lock(places.lock):
        postgres.ensure_postgres(places)
        valkey.ensure_valkey(places)
    return endpoints_at(places)


def stop(profile: str) -> None:
    """Stop both servers and wait for them. Raises EmbeddedError if a pid file names a foreign process."""
    stop_at(_places(profile))


def stop_at(places: Places) -> None:
    """`stop` for given places."""
    if not places.home.exists():
        return
    with file_lock(places.lock):
        valkey.stop_valkey(places)
        postgres.stop_postgres(places)


def status(profile: str) -> dict[str, int | None]:
    """Pids of the running servers by name."""
    places = _places(profile)
    return {"postgres": postgres.postgres_pid(places), "valkey": valkey.valkey_pid(places)}


@contextmanager
def in_use(profile: str) -> Iterator[Endpoints]:
    """Start the servers and keep `stop_if_unused` of others away while inside."""
    places = _places(profile)
    places.make()
    descriptor = os.open(places.users_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield ensure_running_at(places)
    finally:
        os.close(descriptor)


def stop_if_unused(profile: str) -> bool:
    """Stop the servers unless somebody is inside `in_use`; says whether they were stopped."""
    places = _places(profile)
    if not places.home.exists():
        return True
    descriptor = os.open(places.users_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        stop_at(places)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def secret(name: str, profile: str | None = None) -> str:
    """`secret_key` or `master_key` of a profile (PROMPTSAAS_PROFILE by default), made at first use."""
    return secret_files.secret(_places(profile or profile_from_environment()), name)
