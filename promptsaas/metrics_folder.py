"""Where the processes of one server share what they count: a folder of memory-mapped files.

Some servers are several processes (Granian's workers, a worker and the process of its job), and any of them
may be asked for the figures of all. The folder is named before the first metric is made: before Django loads.
"""

import os
import sys
import tempfile
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def prepare_metrics_folder(process: str) -> None:
    """Make an empty folder for a server that is about to start, and tell its processes by the environment.

    Without METRICS_ADDRESS nobody will ask, and nothing is made.
    """
    address = os.environ.get("METRICS_ADDRESS", "")
    if not address:
        os.environ.pop(VARIABLE, None)
        return
    folder = Path(tempfile.gettempdir()) / f"promptsaas-metrics-{os.getuid()}-{process}-{_port(address)}"
    _make_own(folder)
    for file in folder.iterdir():
        file.unlink()
    os.environ[VARIABLE] = str(folder)


def _port(address: str) -> str:
    port = address.rpartition(":")[2]
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65_536):
        sys.exit(f"METRICS_ADDRESS must read host:port, not {address!r}.")
    return port


def _make_own(folder: Path) -> None:
    """Others may write where temporary files lie: a folder that isn't ours is refused."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o077:
        sys.exit(f"{folder} belongs to somebody else; remove it.")
