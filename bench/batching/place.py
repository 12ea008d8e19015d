"""A project with everything on that a customer would have on, and the processes that work for its batches.

`with place(upstreams) as found:` gives a database that writes through, a Redis of its own, web and cron as in
production, all on one core; `with found.worker() as pid:` starts the worker, alone on the other.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.chaos.support import OwnRedis
from bench.own_database import BENCH, own_database
from bench.serving.cores import OTHER_CORE, SERVER_CORE, pinned
from bench.serving.ours import GUARDRAILS, LARGE, SYSTEM, USER, VARIABLES, move_servers
from bench.serving.upstreams import ROOT, free_port, running, wait_for_port
from promptsaas.serving import Address, web_command

UPSTREAMS: Final = {"uniform": "0-100", "fixed": "50"}
"""Prompts, each at an upstream of the name, and how long that takes to answer, in milliseconds."""

ADD_ROWS: Final = """
INSERT INTO datasets_datasetrow
    (id, organization_id, dataset_version_id, number, variables, expected, metadata)
SELECT gen_random_uuid(), %(organization)s, %(version)s, n,
       %(variables)s::jsonb || jsonb_build_object('name', 'Customer ' || n), NULL, '{}'
FROM generate_series(2, %(rows)s) AS n
"""


@dataclass(frozen=True)
class Place:
    """What is there. `versions` are dataset versions' public ids by their number of rows."""

    project: Any
    token: str
    web: Address
    ports: dict[str, int]
    redis: OwnRedis
    log: Path

    def dataset(self, rows: int) -> str:
        """A dataset version of so many rows."""
        return _make_dataset(self.project, rows)

    @contextmanager
    def worker(self) -> Iterator[int]:
        """The worker as in production, alone on its core; gives its pid."""
        with _started("worker", self.log, SERVER_CORE, "worker") as pid:
            yield pid


@contextmanager
def place() -> Iterator[Place]:
    """Everything but the worker. Settings may be imported inside only."""
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    with ExitStack() as stack:
        stack.enter_context(own_database(BENCH))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        redis = OwnRedis(folder)
        redis.start()
        stack.callback(redis.stop)
        ports = {name: stack.enter_context(_upstream(delay)) for name, delay in UPSTREAMS.items()}
        _use(redis, ports)
        project, token = _prepare(ports)
        move_servers()
        log = Path(os.environ.get("BENCH_LOG") or folder / "log")
        web = Address("127.0.0.1", free_port())
        stack.enter_context(_web(web, log))
        stack.enter_context(_started("cron", log, OTHER_CORE, "cron"))
        yield Place(project, token, web, ports, redis, log)


@contextmanager
def _upstream(delay: str) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "bench.serving.slow_upstream", str(port), delay, "1", "0"]
    with running(command, port):
        yield port


def _use(redis: OwnRedis, ports: dict[str, int]) -> None:
    from django.conf import settings  # noqa: PLC0415 - needs the settings

    allowed = [f"127.0.0.1:{port}" for port in ports.values()]
    os.environ["REDIS_URL"] = settings.REDIS_URL = redis.url
    os.environ["OUTBOUND_ALLOWED_HOSTS"] = ",".join(allowed)
    settings.OUTBOUND_ALLOWED_HOSTS = allowed


def _prepare(ports: dict[str, int]) -> tuple[Any, str]:
    from django.db import connections  # noqa: PLC0415 - needs the settings

    from tests.factories import make_api_key, make_content, make_project, make_prompt  # noqa: PLC0415
    from tests.factories.providers import make_connection, make_price  # noqa: PLC0415

    project = make_project()
    make_price(project=project, pattern="*/gpt-4o-mini", input_price="0.15", output_price="0.60")
    for name, port in ports.items():
        make_connection(project=project, name=name, base_url=f"http://127.0.0.1:{port}/v1")
        content = make_content(
            USER,
            system=SYSTEM,
            variables=tuple({"name": each, "type": "text", "required": True} for each in VARIABLES),
            model=f"{name}/gpt-4o-mini",
            parameters={"temperature": 0.2, "max_tokens": 64},
        )
        make_prompt(project=project, name=name, content=content, labels={"production": 1})
    _set_limits(project)
    token = make_api_key(project=project)[1]
    connections.close_all()
    return project, token


def _set_limits(project: Any) -> None:
    from datetime import UTC, datetime  # noqa: PLC0415

    from apps.billing import plans  # noqa: PLC0415
    from apps.billing.models import Quota  # noqa: PLC0415
    from apps.core.scope import organization_scope, system_scope  # noqa: PLC0415
    from apps.prompts.models import ServingPolicy  # noqa: PLC0415

    with system_scope():
        Quota.all_organizations.create(
            organization_id=project.organization_id,
            meter=plans.RUNS,
            period_start=plans.period_start(datetime.now(UTC)),
            cap=LARGE,
        )
    with organization_scope(project.organization_id):
        ServingPolicy.objects.create(
            organization_id=project.organization_id,
            project=project,
            guardrails=GUARDRAILS,
            limits={"requests_per_minute": LARGE, "tokens_per_minute": LARGE},
        )


def _make_dataset(project: Any, rows: int) -> str:
    import orjson  # noqa: PLC0415
    from django.db import connection, connections  # noqa: PLC0415 - needs the settings

    from apps.core.scope import organization_scope  # noqa: PLC0415
    from apps.datasets.mapping import RowValues  # noqa: PLC0415
    from tests.factories import make_dataset_version  # noqa: PLC0415

    version = make_dataset_version(project=project, rows=[RowValues(dict(VARIABLES), None, {})])
    told: dict[str, Any] = {
        "organization": version.organization_id,
        "version": version.id,
        "variables": orjson.dumps(VARIABLES).decode(),
        "rows": rows,
    }
    with organization_scope(project.organization_id), connection.cursor() as cursor:
        cursor.execute(ADD_ROWS, told)
        version.row_count = rows
        version.save(update_fields=["row_count"])
    public_id = version.public_id
    connections.close_all()
    return public_id


@contextmanager
def _web(address: Address, log: Path) -> Iterator[None]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            pinned(OTHER_CORE, web_command(address, workers=1, threads=4)),
            cwd=ROOT,
            env=os.environ | {"PROMPTSAAS_PROCESS": "web"},
            stdout=output,
            stderr=output,
        )
    try:
        wait_for_port(address.port, process)
        yield
    finally:
        _end(process)


@contextmanager
def _started(name: str, log: Path, core: int, *arguments: str) -> Iterator[int]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            pinned(core, [sys.executable, "manage.py", *arguments]),
            cwd=ROOT,
            env=os.environ | {"PROMPTSAAS_PROCESS": name},
            stdout=output,
            stderr=output,
        )
    try:
        time.sleep(0.5)
        yield process.pid
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
