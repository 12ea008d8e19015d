"""The upstreams: nginx with an answer at once, and one that waits and streams."""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.serving.cores import OTHER_CORE, pinned
from bench.serving.slow_upstream import completion

ROOT = Path(__file__).resolve().parent.parent.parent
WAIT_MS = 50
# A streamed answer: the first piece after WAIT_MS, then a piece every 100 ms for two seconds.
CHUNKS, CHUNK_MS = 20, 100
CONFIGURATION = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 4096; accept_mutex off; }}
http {{
  access_log off; default_type application/json; tcp_nodelay on;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000; keepalive_timeout 600s;
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 '{body}'; }} }}
}}
"""


@dataclass(frozen=True)
class Upstreams:
    """Ports on loopback."""

    instant: int
    waiting: int
    streaming: int

    @property
    def ports(self) -> tuple[int, ...]:
        """All of them."""
        return self.instant, self.waiting, self.streaming


def require_programs() -> None:
    """Raise SystemExit naming what has to be installed."""
    missing = [name for name in ("nginx", "wrk", "taskset") if shutil.which(name) is None]
    if missing:
        raise SystemExit(f"this measurement needs {', '.join(missing)} (Debian: nginx, wrk, util-linux)")


@contextmanager
def upstreams() -> Iterator[Upstreams]:
    """Start all, on the core of everything else."""
    ports = Upstreams(*(free_port() for _ in range(3)))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        # nginx's worker runs as nobody.
        folder.chmod(0o755)
        settings = folder / "nginx.conf"
        body = completion().partition(b"\r\n\r\n")[2].decode()
        settings.write_text(CONFIGURATION.format(folder=folder, port=ports.instant, body=body))
        stack.enter_context(running(["nginx", "-c", str(settings)], ports.instant))
        for port, chunk_ms in ((ports.waiting, 0), (ports.streaming, CHUNK_MS)):
            module = [sys.executable, "-m", "bench.serving.slow_upstream"]
            told = [str(port), str(WAIT_MS), str(CHUNKS), str(chunk_ms)]
            stack.enter_context(running([*module, *told], port))
        yield ports


@contextmanager
def running(command: list[str], port: int, *, core: int | None = OTHER_CORE) -> Iterator[int]:
    """A process that listens on a port, on one core or on any; gives its pid and ends it."""
    told = command if core is None else pinned(core, command)
    process = subprocess.Popen(told, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        wait_for_port(port, process)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_port(port: int, process: "subprocess.Popen[bytes]", *, seconds: float = 60) -> None:
    """Return when somebody listens. Raises RuntimeError when the process ends or takes too long."""
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"nothing listens on port {port}")


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
