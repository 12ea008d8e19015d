"""The embedded Valkey of one profile. It holds nothing that must last, so nothing is written to disk."""

import signal
import socket
import time
from pathlib import Path
from urllib.parse import quote

from promptsaas.embedded.places import EmbeddedError, Places
from promptsaas.embedded.processes import POLL_SECONDS, running_pid, stop_process
from promptsaas.embedded.programs import start_daemon, valkey_program

START_SECONDS = 20.0
# One for each test worker; an unused database costs nothing.
TEST_DATABASES = 512


def address(places: Places, database: int = 0) -> str:
    """The URL of a database index, over the unix socket."""
    return f"unix://{quote(str(places.valkey_socket))}?db={database}"


def ensure_valkey(places: Places) -> None:
    """Start the server if it is down. Call under the lock."""
    if ping(places):
        return
    log = places.home / "valkey.log"
    server = start_daemon(places, [str(valkey_program(places)), str(_write_settings(places))], log)
    deadline = time.monotonic() + START_SECONDS
    while not ping(places):
        if server.poll() is not None or time.monotonic() > deadline:
            raise EmbeddedError(f"Valkey did not start; see {log}: {log.read_text()[-400:]}")
        time.sleep(POLL_SECONDS)


def ping(places: Places) -> bool:
    """Whether the server answers; a socket file alone proves nothing."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(2)
        try:
            connection.connect(str(places.valkey_socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def stop_valkey(places: Places) -> bool:
    """Stop the server; False if it was not running."""
    return stop_process(_pid_file(places), str(_settings_file(places)), signal.SIGTERM)


def valkey_pid(places: Places) -> int | None:
    """The pid of our running server."""
    return running_pid(_pid_file(places), str(_settings_file(places)))


def _pid_file(places: Places) -> Path:
    return places.valkey_data / "valkey.pid"


def _settings_file(places: Places) -> Path:
    return places.valkey_data / "valkey.conf"


def _write_settings(places: Places) -> Path:
    settings = {
        "port": "0",
        "unixsocket": _quoted(places.valkey_socket),
        "unixsocketperm": "700",
        "pidfile": _quoted(_pid_file(places)),
        "dir": _quoted(places.valkey_data),
        "save": '""',
        "appendonly": "no",
        "daemonize": "no",
        "databases": str(TEST_DATABASES) if places.profile == "test" else "16",
        # The title is how a later stop knows that a pid is this server.
        "proc-title-template": '"{title} {config-file}"',
        "maxmemory": "256mb",
        # Cached answers and counters give way; queued jobs have no time to live and stay.
        "maxmemory-policy": "volatile-lru",
    }
    path = _settings_file(places)
    path.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    path.chmod(0o644)
    return path


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
