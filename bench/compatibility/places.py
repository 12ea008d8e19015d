"""What the clients talk to: the public origin, with workers, the sandbox and two stand-ins of providers."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.own_database import own_database
from bench.serving.ours import wait_until_ready
from bench.serving.upstreams import free_port
from promptsaas.serving import Address, gateway_command, web_command

ROOT: Final = Path(__file__).resolve().parents[2]
PROMPT: Final = "team/greeting"


@dataclass(frozen=True)
class Models:
    """The models of one way to a provider: one that talks, one that calls tools, one that fills schemas.

    `field` is the one that a stand-in's JSON has.
    """

    name: str
    talks: str
    calls: str
    fills: str
    field: str = "name"


MODELS: Final = (
    Models("sandbox", "sandbox/standard", "sandbox/standard", "sandbox/standard"),
    Models("openai-compatible", "local/echo", "local/tools", "local/schema"),
    Models("anthropic", "claude/claude-echo", "claude/claude-tools", "claude/claude-answer", "mood"),
)


@dataclass(frozen=True)
class Place:
    """A running product: its address and a key of a project with the prompt `team/greeting`."""

    url: str
    token: str


@contextmanager
def running_place() -> Iterator[Place]:
    """Start everything and stop it. Settings may be imported inside only."""
    with ExitStack() as stack:
        stack.enter_context(own_database())
        from tests import fake_anthropic, fake_provider  # noqa: PLC0415 - needs the settings

        provider, anthropic = fake_provider.start(), fake_anthropic.start()
        stack.callback(fake_provider.stop, provider)
        stack.callback(fake_anthropic.stop, anthropic)
        token = _prepare(provider, anthropic)
        yield Place(stack.enter_context(_product(f"{provider.host},{anthropic.host}")), token)


def _prepare(provider: Any, anthropic: Any) -> str:
    from django.conf import settings  # noqa: PLC0415 - needs the settings
    from django.db import connections  # noqa: PLC0415

    from tests.factories import make_api_key, make_content, make_project, make_prompt  # noqa: PLC0415
    from tests.factories.providers import make_connection  # noqa: PLC0415

    settings.OUTBOUND_ALLOWED_HOSTS = [provider.host, anthropic.host]
    project = make_project()
    make_connection(project=project, name="local", base_url=provider.base_url, models=("*",))
    # Of its own: a breaker opens after so many failures.
    make_connection(project=project, name="faulty", base_url=provider.base_url, models=("*",))
    make_connection(
        project=project, name="claude", base_url=anthropic.base_url, models=("*",), api="anthropic"
    )
    content = make_content("Say hello to {{ name }}.", model="sandbox/standard")
    make_prompt(project=project, name=PROMPT, content=content, labels={"production": 1})
    token = make_api_key(project=project, livemode=True)[1]
    connections.close_all()
    return token


@contextmanager
def _product(allowed_hosts: str) -> Iterator[str]:
    """Web, the gateway in front of it, and a worker for batches and one for their files."""
    web, origin = Address("127.0.0.1", free_port()), Address("127.0.0.1", free_port())
    told = {
        **os.environ,
        "OUTBOUND_ALLOWED_HOSTS": allowed_hosts,
        "GATEWAY_REQUESTS_PER_MINUTE": "100000",
        "API_REQUESTS_PER_MINUTE": "100000",
        "WEB_UPSTREAM": f"http://{web.host}:{web.port}",
        "LOG_LEVEL": "ERROR",
    }
    with ExitStack() as stack:
        served = stack.enter_context(_process("web", web_command(web, workers=1, threads=8), told))
        wait_until_ready(web, served)
        served = stack.enter_context(_process("gateway", gateway_command(origin, workers=1), told))
        wait_until_ready(origin, served)
        for queue in ("default", "bulk"):
            command = [sys.executable, "manage.py", "worker", f"--queue={queue}"]
            stack.enter_context(_process("worker", command, told))
        yield f"http://{origin.host}:{origin.port}"


@contextmanager
def _process(
    kind: str, command: Sequence[str], environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    told = {**environment, "PROMPTSAAS_PROCESS": kind}
    # Workers tell of every job, whatever the level; the table is to be read.
    out = subprocess.DEVNULL if kind == "worker" else None
    process = subprocess.Popen(list(command), cwd=ROOT, env=told, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=100)
