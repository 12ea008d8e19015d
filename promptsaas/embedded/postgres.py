"""The embedded Postgres of one profile: initdb, start, roles, stop."""

import hashlib
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from promptsaas.embedded.places import CHECKOUT, POSTGRES_SOCKET, EmbeddedError, Places
from promptsaas.embedded.processes import POLL_SECONDS, command_line, read_pid, running_pid, stop_process
from promptsaas.embedded.programs import postgres_program, start_daemon

SQL_FOLDER = CHECKOUT / "deploy" / "postgres-init"
DATABASE = "promptsaas"
SUPERUSER = "postgres"
START_SECONDS = 60.0
PING_SECONDS = 2.0

# Three messages of Postgres' protocol, version 3.0; a driver would cost each start a quarter of a second.
_PARAMETERS = f"user\0{SUPERUSER}\0database\0postgres\0\0".encode()
_STARTUP = struct.pack("!ii", 8 + len(_PARAMETERS), 3 << 16) + _PARAMETERS
_TERMINATE = b"X" + struct.pack("!i", 4)
AUTHENTICATED = b"R"

CREATE_DATABASE = f"""
SELECT 'CREATE DATABASE {DATABASE} OWNER promptsaas_owner'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}') \\gexec
"""

COMMON = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "logging_collector": "off",
}
# Loses data when the machine stops: for databases that are thrown away only.
THROWAWAY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum_naptime": "10s",
    "max_connections": "400",
}


def address(places: Places, role: str, database: str = DATABASE) -> str:
    """The URL of a database for a role, over the unix socket."""
    return f"postgresql://{role}@/{database}?host={quote(str(places.sockets))}"


def ensure_postgres(places: Places) -> None:
    """Make the cluster if it is missing, start it if it is down, make the roles. Call under the lock."""
    if not (places.postgres_data / "PG_VERSION").exists():
        _initialize(places)
    if not ping(places):
        _start(places)
    _provision(places)


def ping(places: Places) -> bool:
    """Whether the server lets somebody in; while it starts or recovers it answers, but refuses."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PING_SECONDS)
        try:
            connection.connect(str(places.postgres_socket))
            connection.sendall(_STARTUP)
            welcome = connection.recv(1) == AUTHENTICATED
            connection.sendall(_TERMINATE)
        except OSError:
            return False
    return welcome


def stop_postgres(places: Places) -> bool:
    """Stop the server after ending its sessions; False if it was not running."""
    # SIGINT is Postgres' fast shutdown: it ends sessions and checkpoints. SIGTERM would wait for clients.
    return stop_process(_pid_file(places), str(places.postgres_data), signal.SIGINT)


def postgres_pid(places: Places) -> int | None:
    """The pid of our running server."""
    return running_pid(_pid_file(places), str(places.postgres_data))


def _pid_file(places: Places) -> Path:
    return places.postgres_data / "postmaster.pid"


def _initialize(places: Places) -> None:
    for leftover in places.postgres_data.iterdir():
        raise EmbeddedError(
            f"{leftover} lies in a data folder that holds no cluster: remove {places.postgres_data}"
        )
    command = [
        str(postgres_program(places, "initdb")),
        f"--pgdata={places.postgres_data}",
        f"--username={SUPERUSER}",
        # Only the 0700 socket folder leads to the server.
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
        *(["--no-sync"] if places.profile == "test" else []),
    ]
    done = subprocess.run(
        command,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=False,
        **places.account.popen_options,
    )
    if done.returncode != 0:
        raise EmbeddedError(f"initdb failed: {done.stderr.strip()}")


def _start(places: Places) -> None:
    options = COMMON | (THROWAWAY if places.profile == "test" else {})
    options["unix_socket_directories"] = str(places.sockets)
    command = [str(postgres_program(places, "postgres")), "-D", str(places.postgres_data)]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    log = places.home / "postgres.log"
    _clear_foreign_locks(places)
    server = start_daemon(places, command, log) if postgres_pid(places) is None else None
    deadline = time.monotonic() + START_SECONDS
    while not ping(places):
        if (server is not None and server.poll() is not None) or time.monotonic() > deadline:
            raise EmbeddedError(f"Postgres did not start; see {log}: {log.read_text()[-400:]}")
        time.sleep(POLL_SECONDS)


def _clear_foreign_locks(places: Places) -> None:
    # After a reboot or in a fresh container the pid of a crashed server may name another program of the same
    # account; Postgres then refuses to start. In all other cases Postgres judges better than we.
    pid = read_pid(_pid_file(places))
    line = command_line(pid) if pid is not None else ""
    if line and str(places.postgres_data) not in line:
        _pid_file(places).unlink()
        places.postgres_socket.with_name(f"{POSTGRES_SOCKET}.lock").unlink(missing_ok=True)


def _provision(places: Places) -> None:
    roles = (SQL_FOLDER / "roles.sql").read_text()
    database = (SQL_FOLDER / "database.sql").read_text()
    mark = places.home / f"roles-{hashlib.sha256((roles + database).encode()).hexdigest()[:12]}"
    if mark.exists():
        return
    run_as_superuser(places, "postgres", roles)
    run_as_superuser(places, "postgres", CREATE_DATABASE)
    for name in ("template1", DATABASE):
        run_as_superuser(places, name, database)
    mark.touch()


def run_as_superuser(places: Places, database: str, script: str) -> None:
    """Run a psql script as the superuser. Raises EmbeddedError at the first statement that fails."""
    command = [str(postgres_program(places, "psql")), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    command += [f"--host={places.sockets}", f"--username={SUPERUSER}", f"--dbname={database}"]
    done = subprocess.run(
        command,
        input=script,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "PGOPTIONS": "-c client_min_messages=warning"},
        capture_output=True,
        text=True,
        check=False,
        **places.account.popen_options,
    )
    if done.returncode != 0:
        raise EmbeddedError(f"preparing the database {database} failed: {done.stderr.strip()}")
