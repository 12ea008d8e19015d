"""The demo's servers and processes: what is started, how it is known to be ready."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from promptsaas import embedded
from promptsaas.demo.options import DemoError
from promptsaas.embedded.command_line import uses_embedded
from promptsaas.schema_state import ROOT, schema_fingerprint
from promptsaas.supervisor.belongings import VARIABLE
from promptsaas.supervisor.children import Plan
from promptsaas.supervisor.supervisor import Supervisor

HOST: Final = "127.0.0.1"
FIRST_PORT: Final = 8000
READY_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True)
class Ports:
    """Where the public origin and web listen."""

    origin: int
    web: int

    @property
    def web_url(self) -> str:
        """The address of web, for the router."""
        return f"http://{HOST}:{self.web}"

    @property
    def url(self) -> str:
        """The address for people."""
        return f"http://localhost:{self.origin}"


def choose_ports(wanted: int | None) -> Ports:
    """The wanted port, or the first free one from 8000 on. Raises DemoError when the wanted one is taken."""
    if wanted is not None:
        if not _is_free(wanted):
            raise DemoError(f"PORT: {wanted} is taken")
        return Ports(wanted, _any_free_port())
    for port in range(FIRST_PORT, FIRST_PORT + 100):
        if _is_free(port):
            return Ports(port, _any_free_port())
    return Ports(_any_free_port(), _any_free_port())


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _any_free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def manage(*arguments: str) -> list[str]:
    """A `manage.py` command line."""
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def plans(ports: Ports) -> list[Plan]:
    """Every process of the product on one machine."""
    commands = {
        "web": ("web", f"--host={HOST}", f"--port={ports.web}"),
        "gateway": (
            "gateway",
            f"--host={HOST}",
            f"--port={ports.origin}",
            f"--web={ports.web_url}",
        ),
        "worker": ("worker", "--queue=default"),
        "worker-interactive": ("worker", "--queue=interactive"),
        "worker-bulk": ("worker", "--queue=bulk"),
        "cron": ("cron",),
    }
    return [Plan(name, manage(*arguments), environment(ports)) for name, arguments in commands.items()]


def environment(ports: Ports, token: str = "") -> dict[str, str]:
    """What every process of the demo finds in its environment; the token marks it as the supervisor's."""
    # One machine, one environment: all processes would take the same address.
    values = {"PUBLIC_URL": ports.url, "METRICS_ADDRESS": ""}
    if uses_embedded():
        # Processes get addresses, not the task of starting servers: one that comes up while the demo ends
        # would start them again.
        found = embedded.endpoints(embedded.profile_from_environment())
        values["DATABASE_URL"] = found.database_url
        values["MIGRATION_DATABASE_URL"] = found.migration_database_url
        values["REDIS_URL"] = found.redis_url
    return values | ({VARIABLE: token} if token else {})


def migrate_if_needed(profile: str | None) -> None:
    """Bring the database to the code's schema. Skipped when an embedded one has reached this very schema."""
    mark = embedded.Places(profile).home / "migrated" if profile else None
    fingerprint = schema_fingerprint()
    if mark is not None and mark.exists() and mark.read_text() == fingerprint:
        return
    done = subprocess.run(
        manage("migrate", "--verbosity=0"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise DemoError(f"migrating the database failed:\n{done.stderr[-3000:]}")
    if mark is not None:
        mark.write_text(fingerprint)


def log_folder(wanted: str = "") -> Path:
    """Where the processes' logs go, one file each; beside the data unless told otherwise."""
    if wanted:
        return Path(wanted).resolve()
    return embedded.Places(embedded.profile_from_environment()).home / "logs"


def supervisor(ports: Ports, profile: str | None, logs: Path, report: Callable[[str], None]) -> Supervisor:
    """The supervisor of all processes, not yet started; it keeps the embedded servers up as well."""
    return Supervisor(
        plans(ports),
        working_folder=ROOT,
        logs=logs,
        embedded_profile=profile,
        chore=(lambda: revive(profile, report)) if profile else None,
        report=report,
    )


def revive(profile: str, report: Callable[[str], None]) -> None:
    """Start an embedded server again that has died."""
    if None in embedded.status(profile).values():
        report("an embedded server ended; it is started again")
        try:
            embedded.ensure_running(profile)
        except embedded.EmbeddedError as error:
            report(str(error))


def wait_until_ready(ports: Ports, running: Supervisor) -> None:
    """Wait until gateway and web answer. Raises DemoError with the log of what does not."""
    for name, url in (("gateway", ports.url), ("web", ports.web_url)):
        deadline = time.monotonic() + READY_SECONDS
        while not _is_ready(url):
            child = running.child(name)
            if child.restarts > 1 or time.monotonic() > deadline:
                raise DemoError(f"{name} does not start; {child.log} ends with:\n{child.last_words()}")
            time.sleep(LOOK_SECONDS)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
