"""The real gateway: Granian in a process of its own, on a free port, with this session's database."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from promptsaas.serving import Address, gateway_command

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0


@dataclass(frozen=True)
class RunningGateway:
    """A gateway's address and its process."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def running_gateway(folder: Path) -> Iterator[RunningGateway]:
    """Start a gateway and stop it. Its limits are low enough to be reached."""
    address = Address("127.0.0.1", _free_port())
    log_path = folder / "log"
    environment = {
        **os.environ,
        "PROMPTSAAS_PROCESS": "gateway",
        "GATEWAY_REQUESTS_PER_MINUTE": "300",
        "GATEWAY_DRAIN_SECONDS": "3",
    }
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            gateway_command(address, workers=1), cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        url = f"http://{address.host}:{address.port}"
        _wait_until_ready(url, process, log_path)
        yield RunningGateway(url, process)
    finally:
        process.terminate()
        process.wait(timeout=40)
        # Shown by pytest where a test fails.
        sys.stderr.write(log_path.read_text(errors="replace")[-4000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log_path: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            if httpx2.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.05)
    pytest.fail(f"the gateway did not start:\n{log_path.read_text(errors='replace')[-4000:]}")
