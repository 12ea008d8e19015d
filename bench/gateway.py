"""The gateway's own cost: `python -m bench.gateway [seconds] [chat|run|get]`.

One gateway process with the sandbox as provider (0 ms), so that everything measured is ours: key check, rate
limit, render, reservation, validation, price, and the commit of run, payload and usage before the answer.
It works on a database of its own, a clone of the tests' template (whose server does not fsync), and on
loopback only. Generator and server share the machine: on few cores the figures are a lower bound.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import django
import orjson

from bench.http_load import WARM_UP_SECONDS, Result, Target, get, measure, post
from promptsaas.embedded import in_use
from promptsaas.serving import Address, gateway_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "promptsaas.settings")

ROOT = Path(__file__).resolve().parent.parent
PROFILE = "test"
CONNECTIONS = (1, 16, 64)
START_SECONDS = 90.0
HEADINGS = ("p50 ms", "p95 ms", "p99 ms", "cpu ms", "failed")


def main() -> int:
    """Run and print a table; 1 when any request failed."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    ask = REQUESTS[sys.argv[2] if len(sys.argv) > 2 else "chat"]
    django.setup()
    from tests.support import databases  # noqa: PLC0415 - changes the loaded settings
    from tests.support.environment import DATABASE, configure  # noqa: PLC0415

    with ExitStack() as stack:
        servers = configure()
        if servers.embedded:
            stack.enter_context(in_use(PROFILE))
        databases.make_clone(servers, DATABASE)
        stack.callback(databases.drop_clone, servers, DATABASE)
        token = prepare()
        address, pid = stack.enter_context(gateway())
        target = Target(address.host, address.port, ask(token))
        measured = []
        for connections in CONNECTIONS:
            before = cpu_seconds(pid)
            result = measure(target, connections=connections, seconds=seconds)
            measured.append((result, (cpu_seconds(pid) - before) * 1000))
    return report(measured)


def prepare() -> str:
    """A project with a prompt in production; the token of a key."""
    from django.db import connections  # noqa: PLC0415 - needs the settings

    from tests.factories import make_api_key, make_project, make_prompt  # noqa: PLC0415

    project = make_project()
    make_prompt(project=project, name="bench", labels={"production": 1})
    token = make_api_key(project=project)[1]
    connections.close_all()
    return token


def chat_request(token: str) -> bytes:
    """A chat completion of a prompt in production."""
    body = {"model": "prompt:bench@production", "messages": [], "variables": VARIABLES}
    return post("localhost", "/v1/chat/completions", orjson.dumps(body), token)


def run_request(token: str) -> bytes:
    """A run of the same prompt at its own address."""
    body = orjson.dumps({"label": "production", "variables": VARIABLES})
    return post("localhost", "/api/v1/prompts/bench/run", body, token)


def get_request(token: str) -> bytes:
    """A fetch of its version."""
    return get("localhost", "/api/v1/prompts/bench?label=production", token)


# Short, because the sandbox's scorer works through every word of it.
VARIABLES = {"review": "It broke."}
REQUESTS = {"chat": chat_request, "run": run_request, "get": get_request}


@contextmanager
def gateway() -> Iterator[tuple[Address, int]]:
    """One gateway process on a free port, and its pid."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = Address("127.0.0.1", int(probe.getsockname()[1]))
    environment = {
        **os.environ,
        "PROMPTSAAS_PROCESS": "gateway",
        "GATEWAY_REQUESTS_PER_MINUTE": "100000000",
        "LOG_LEVEL": "WARNING",
    }
    process = subprocess.Popen(gateway_command(address, workers=1), cwd=ROOT, env=environment)
    try:
        wait_until_ready(address, process)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(timeout=40)


def wait_until_ready(address: Address, process: "subprocess.Popen[bytes]") -> None:
    """Return when /readyz answers 200. Raises RuntimeError when the process ends or takes too long."""
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://{address.host}:{address.port}/readyz", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the gateway did not start")


def cpu_seconds(pid: int) -> float:
    """The processor time of a process and its children, which does not depend on who else is busy."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(cpu_seconds(int(child)) for child in listed)


def report(measured: list[tuple[Result, float]]) -> int:
    """Print the table. Processor time is that of the gateway's process, Postgres not included."""
    print(f"{'connections':>12}{'requests/s':>12}" + "".join(f"{name:>9}" for name in HEADINGS))
    for result, cpu in measured:
        shares = "".join(f"{result.percentile(share):>9.2f}" for share in (0.5, 0.95, 0.99))
        # The warm-up's requests are in the processor time: count them at the same rate.
        answered = len(result.latencies) * (1 + WARM_UP_SECONDS / result.seconds)
        each = cpu / answered if answered else float("nan")
        print(f"{result.connections:>12}{result.per_second:>12,.0f}{shares}{each:>9.2f}{result.failures:>9}")
    return 1 if any(result.failures for result, _ in measured) else 0


if __name__ == "__main__":
    sys.exit(main())
