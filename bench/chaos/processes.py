"""The product's processes for scripts that kill them; the script is the supervisor that starts them again."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent


@dataclass
class Processes:
    """Processes of `manage.py` by name, each in a group of its own."""

    log: Path
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *arguments: str) -> None:
        """Start, or start again after a kill."""
        with self.log.open("ab") as log:
            self.started[name] = subprocess.Popen(
                [sys.executable, "manage.py", *arguments],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={"LOG_LEVEL": "WARNING"} | os.environ | {"PROMPTSAAS_PROCESS": arguments[0]},
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """SIGKILL to the process's group and to those of its children: RQ gives each job one of its own."""
        process = self.started[name]
        for group in {process.pid, *children_of(process.pid)}:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """End everything that was started."""
        for name in self.started:
            self.kill(name)


def children_of(pid: int) -> set[int]:
    """The pids of a process's children."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return {int(child) for child in listed.read_text().split()} if listed.exists() else set()
