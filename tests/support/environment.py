"""Point Django at this process's own test database and Redis index, before anything connects.

Every pytest process (and every xdist worker) has a database of its own, cloned from a migrated template,
and a Redis index of its own, so any number of sessions run beside each other.
"""

import fcntl
import json
import os
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit, urlunsplit

from django.conf import settings

from promptsaas.embedded import Places, endpoints, valkey

PROFILE = "test"
GIVEN = "PROMPTSAAS_TEST_GIVEN"
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
DATABASE = f"test_{os.getpid()}_{WORKER}"


@dataclass(frozen=True)
class Servers:
    """The addresses this test process works with."""

    embedded: bool
    database_url: str
    migration_database_url: str
    redis_url: str


def with_database(url: str, name: str) -> str:
    """The same server and role, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def configure() -> Servers:
    """Change the loaded settings in place and export them for child processes."""
    servers = _servers()
    values = {
        "DATABASE_URL": with_database(servers.database_url, DATABASE),
        "MIGRATION_DATABASE_URL": with_database(servers.migration_database_url, DATABASE),
        "REDIS_URL": servers.redis_url,
    }
    for name, value in values.items():
        setattr(settings, name, value)
        os.environ[name] = value
    os.environ["PROMPTSAAS_PROFILE"] = PROFILE
    # Child processes must be able to read what this process sealed and signed.
    os.environ["SECRET_KEY"] = settings.SECRET_KEY
    os.environ["MASTER_KEYS"] = ",".join(settings.MASTER_KEYS)
    for alias, url in (("default", values["DATABASE_URL"]), ("owner", values["MIGRATION_DATABASE_URL"])):
        _point(settings.DATABASES[alias], url)
    settings.CACHES["default"]["LOCATION"] = servers.redis_url
    for queue in settings.RQ_QUEUES.values():
        queue["URL"] = servers.redis_url
    # Else every test client looks through all static files when it is made.
    settings.WHITENOISE_AUTOREFRESH = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return servers


def _servers() -> Servers:
    given = _given_addresses()
    if given["DATABASE_URL"] and given["REDIS_URL"]:
        return Servers(
            embedded=False,
            database_url=given["DATABASE_URL"],
            migration_database_url=given["MIGRATION_DATABASE_URL"] or given["DATABASE_URL"],
            redis_url=_numbered(given["REDIS_URL"], _worker_number() + 1),
        )
    places = Places(PROFILE)
    found = endpoints(PROFILE)
    return Servers(
        embedded=True,
        database_url=found.database_url,
        migration_database_url=found.migration_database_url,
        redis_url=valkey.address(places, _lease_redis_index(places)),
    )


def _given_addresses() -> dict[str, str]:
    """What the user gave; an xdist worker inherits an environment that its controller has changed already."""
    if GIVEN not in os.environ:
        names = ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL")
        os.environ[GIVEN] = json.dumps({name: os.environ.get(name, "") for name in names})
    found: dict[str, str] = json.loads(os.environ[GIVEN])
    return found


def _worker_number() -> int:
    return int(WORKER.removeprefix("gw")) if WORKER.startswith("gw") else 0


def _numbered(redis_url: str, index: int) -> str:
    parts = urlsplit(redis_url)
    if parts.scheme == "unix":
        return f"unix://{parts.path}?db={index}"
    return urlunsplit(parts._replace(path=f"/{index}"))


def _lease_redis_index(places: Places) -> int:
    """An index that no other living test process holds; the lock goes with this process."""
    places.make()
    folder = places.home / "redis-indexes"
    folder.mkdir(exist_ok=True)
    for index in range(1, valkey.TEST_DATABASES):
        descriptor = os.open(folder / str(index), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            return index
    raise RuntimeError("all test indexes of the embedded Valkey are taken")


def _point(entry: dict[str, object], url: str) -> None:
    # In place: Django's connection handler keeps this very dictionary.
    parts = urlsplit(url)
    host = parse_qs(parts.query).get("host", [""])[0]
    entry["NAME"] = parts.path.lstrip("/")
    entry["USER"] = parts.username or ""
    entry["HOST"] = host or parts.hostname or ""
