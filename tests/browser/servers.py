"""The real servers of one test session, as child processes on free ports with the test's database."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 30
STOP_SECONDS = 10


@dataclass(frozen=True)
class Site:
    """Where a browser finds the product."""

    url: str


def free_port() -> int:
    """Return a port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def web_alone() -> Iterator[Site]:
    """Run the dashboard, the API and the admin, without gateway and workers."""
    port = free_port()
    site = Site(f"http://127.0.0.1:{port}")
    with _process(["web", f"--port={port}"], {"PUBLIC_URL": site.url, "PROMPTSAAS_PROCESS": "web"}, site.url):
        yield site


@contextmanager
def public_origin(environment: Mapping[str, str] | None = None) -> Iterator[Site]:
    """Run web and the gateway in front of it, with more in their environment if need be."""
    web_port, port = free_port(), free_port()
    site = Site(f"http://127.0.0.1:{port}")
    web = f"http://127.0.0.1:{web_port}"
    shared = {"PUBLIC_URL": site.url, **(environment or {})}
    gateway = ["gateway", f"--port={port}", f"--web={web}"]
    with (
        _process(["web", f"--port={web_port}"], shared | {"PROMPTSAAS_PROCESS": "web"}, web),
        _process(gateway, shared | {"PROMPTSAAS_PROCESS": "gateway"}, site.url),
    ):
        yield site


@contextmanager
def whole_product() -> Iterator[Site]:
    """Run web, the gateway in front of it, and a worker for each queue."""
    with ExitStack() as stack:
        site = stack.enter_context(public_origin())
        for queue in ("default", "interactive", "bulk"):
            environment = {"PUBLIC_URL": site.url, "PROMPTSAAS_PROCESS": "worker"}
            stack.enter_context(_process(["worker", f"--queue={queue}"], environment))
        yield site


@contextmanager
def _process(arguments: Sequence[str], environment: dict[str, str], address: str = "") -> Iterator[None]:
    with TemporaryFile("w+") as log:
        child = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            # A developer's own DEBUG would show Django's error pages in place of ours.
            env=os.environ | environment | {"DEBUG": "0"},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            if address:
                _await_answer(child, f"{address}/healthz")
            yield
        except BaseException:
            log.seek(0)
            sys.stderr.write(f"--- {' '.join(arguments)}\n{log.read()[-4000:]}\n")
            raise
        finally:
            _stop(child)


def _await_answer(child: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise RuntimeError(f"a server ended with code {child.returncode} while starting")
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"{address} did not answer within {START_SECONDS} s")


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(STOP_SECONDS)
