"""One supervised process: start, log file, restart with growing pauses."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from promptsaas.supervisor.belongings import VARIABLE

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
# A process that lived this long died of something new: its pauses start small again.
HEALTHY_SECONDS = 10.0


@dataclass(frozen=True)
class Plan:
    """What to run: a name for people, a command line, additions to the environment."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


class Child:
    """A running plan."""

    def __init__(self, plan: Plan, *, token: str, log: Path, working_folder: Path) -> None:
        self.plan = plan
        self.token = token
        self.log = log
        self.working_folder = working_folder
        self.restarts = 0
        self.wanted = False
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._start_not_before = 0.0
        self._pause = FIRST_PAUSE_SECONDS

    @property
    def pid(self) -> int | None:
        """The pid, None while it is down."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start it, in a session of its own so that the terminal's Ctrl-C reaches only the supervisor."""
        if not self.wanted:
            self.log.write_bytes(b"")
        self.wanted = True
        environment = os.environ | dict(self.plan.environment) | {VARIABLE: self.token}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                list(self.plan.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self.working_folder,
                start_new_session=True,
            )
        self._started_at = time.monotonic()

    def restart_if_dead(self) -> int | None:
        """Start it again once its pause is over; the exit status when it was just found dead."""
        if not self.wanted or self.pid is not None:
            return None
        now = time.monotonic()
        if self._process is not None:
            status = self._process.returncode
            self._process = None
            if now - self._started_at > HEALTHY_SECONDS:
                self._pause = FIRST_PAUSE_SECONDS
            self._start_not_before = now + self._pause
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
            return int(status)
        if now >= self._start_not_before:
            self.restarts += 1
            self.start()
        return None

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def reap(self) -> None:
        """Collect its exit status, so that no zombie stays."""
        if self._process is not None:
            self._process.wait()

    def last_words(self, characters: int = 2000) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-characters:] if self.log.exists() else ""
