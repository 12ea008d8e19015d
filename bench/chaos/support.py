"""What the scripts of this folder share: gateways on a database of their own, a Redis that can be stopped.

`with arena() as place, gateways(place, 2) as running:` gives two gateway processes, a project whose prompt
calls a stand-in of a provider over HTTP, and `place.redis`, which nobody else uses. The stand-in answers
after 20 ms unless told otherwise.
"""

import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis as redis_library

from bench.own_database import TEST, own_database
from bench.serving.ours import wait_until_ready
from bench.serving.upstreams import free_port, running
from promptsaas.embedded import Places, programs
from promptsaas.serving import Address, gateway_command

ROOT: Final = Path(__file__).resolve().parent.parent.parent
WAIT_MS: Final = 20
MODEL: Final = "upstream/gpt-4o-mini"


class OwnRedis:
    """A Valkey that nobody else uses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, which stays the same."""
        return f"unix://{self._socket}?db=0"

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        self._socket.unlink(missing_ok=True)
        options = f"--port 0 --unixsocket {self._socket} --dir {self._folder} --save '' --loglevel warning"
        command = [str(programs.valkey_program(Places(TEST))), *shlex.split(options)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while not self._answers():
            time.sleep(0.01)

    def stop(self) -> None:
        """Kill it: whoever is connected is cut off."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self, is_hanging: bool) -> None:
        """Let it answer nothing while its socket still takes connections, or go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if is_hanging else signal.SIGCONT)

    def flush(self) -> None:
        """Forget everything."""
        with redis_library.Redis.from_url(self.url) as client:
            client.flushall()

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False


@dataclass(frozen=True)
class Arena:
    """What a script works on. `project` has a key (`token`) and the prompt "chaos" in production."""

    redis: OwnRedis
    project: Any
    key: Any
    token: str
    upstream_port: int


@dataclass(frozen=True)
class RunningGateway:
    """One gateway process."""

    address: Address
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.address.host}:{self.address.port}"


@contextmanager
def arena(*, wait_ms: int | str = WAIT_MS, profile: str = TEST) -> Iterator[Arena]:
    """A database, a Redis, a stand-in of a provider, a project. Settings may be imported inside only.

    `wait_ms` may be from and to, as "20-200".
    """
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    with ExitStack() as stack:
        stack.enter_context(own_database(profile))
        redis = OwnRedis(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-"))))
        redis.start()
        stack.callback(redis.stop)
        port = stack.enter_context(_upstream(wait_ms))
        _use(redis.url, port)
        project, key, token = prepare(port)
        yield Arena(redis, project, key, token, port)


@contextmanager
def gateways(place: Arena, count: int, **environment: str) -> Iterator[list[RunningGateway]]:
    """So many gateway processes of one worker each, ready; `environment` on top of a high request limit."""
    told = {
        **os.environ,
        "PROMPTSAAS_PROCESS": "gateway",
        "GATEWAY_REQUESTS_PER_MINUTE": "10000000",
        "LOG_LEVEL": "ERROR",
        **environment,
    }
    assert place.redis.url == os.environ["REDIS_URL"]
    running = []
    try:
        for _ in range(count):
            address = Address("127.0.0.1", free_port())
            process = subprocess.Popen(gateway_command(address, workers=1), cwd=ROOT, env=told)
            running.append(RunningGateway(address, process))
        for each in running:
            wait_until_ready(each.address, each.process)
        yield running
    finally:
        for each in running:
            each.process.terminate()
        for each in running:
            each.process.wait(timeout=40)


def chat_body(**more: Any) -> dict[str, Any]:
    """A chat completion of the prompt "chaos"."""
    return {"model": "prompt:chaos@production", "messages": [], "variables": {"word": "hello"}, **more}


@contextmanager
def _upstream(wait_ms: int | str) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "bench.serving.slow_upstream", str(port), str(wait_ms), "5", "20"]
    with running(command, port, core=None):
        yield port


def _use(redis_url: str, upstream_port: int) -> None:
    """Point this process and its children at what is ours."""
    from django.conf import settings  # noqa: PLC0415 - needs the settings

    allowed = f"127.0.0.1:{upstream_port}"
    os.environ["REDIS_URL"] = settings.REDIS_URL = redis_url
    os.environ["OUTBOUND_ALLOWED_HOSTS"] = allowed
    settings.OUTBOUND_ALLOWED_HOSTS = [allowed]


def prepare(port: int) -> tuple[Any, Any, str]:
    """An organization of its own with a project, its key, the key's token and the prompt."""
    from django.db import connections  # noqa: PLC0415 - needs the settings

    from tests.factories import make_api_key, make_content, make_project, make_prompt  # noqa: PLC0415
    from tests.factories.providers import make_connection  # noqa: PLC0415

    project = make_project()
    make_connection(project=project, name="upstream", base_url=f"http://127.0.0.1:{port}/v1")
    content = make_content("Say {{ word }}.", model=MODEL)
    make_prompt(project=project, name="chaos", content=content, labels={"production": 1})
    key, token = make_api_key(project=project)
    connections.close_all()
    return project, key, token
