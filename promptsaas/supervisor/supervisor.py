"""The supervisor of one machine's processes."""

import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from promptsaas.supervisor.belongings import end_all, wait_until_gone
from promptsaas.supervisor.children import Child, Plan
from promptsaas.supervisor.watcher import FAREWELL

LOOK_SECONDS = 0.1
CHORE_SECONDS = 2.0
# A batch's pump hands its rows over within 8 s of being asked; what takes longer is saved by its lease.
GRACE_SECONDS = 10.0


class Supervisor:
    """Starts the plans, restarts what dies, ends all on exit; a watcher covers its own violent death."""

    def __init__(
        self,
        plans: Sequence[Plan],
        *,
        working_folder: Path,
        logs: Path,
        embedded_profile: str | None = None,
        chore: Callable[[], None] | None = None,
        report: Callable[[str], None] = lambda line: None,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        """`chore` is called every two seconds besides; `report` gets a line for people."""
        self.grace_seconds = grace_seconds
        self.token = secrets.token_hex(12)
        self.report = report
        self._embedded_profile = embedded_profile
        self._chore = chore
        self._working_folder = working_folder
        logs.mkdir(parents=True, exist_ok=True)
        self.children = [
            Child(plan, token=self.token, log=logs / f"{plan.name}.log", working_folder=working_folder)
            for plan in plans
        ]
        self._watcher: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        self._start_watcher()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, *names: str) -> None:
        """Start the plans of these names."""
        for name in names:
            self.child(name).start()

    def start_all(self) -> None:
        """Start every plan that was not started yet."""
        for child in self.children:
            if not child.wanted:
                child.start()

    @property
    def is_running(self) -> bool:
        """Whether it still looks after its children."""
        return self._thread.is_alive()

    def child(self, name: str) -> Child:
        """The child of that name. Raises KeyError."""
        for child in self.children:
            if child.plan.name == name:
                return child
        raise KeyError(name)

    def stop(self) -> None:
        """End every process that descends from this supervisor."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        for child in self.children:
            child.terminate()
        self._wait_for_children(self.grace_seconds)
        if not wait_until_gone(self.token, 0.0):
            end_all(self.token, grace_seconds=min(1.0, self.grace_seconds))
        for child in self.children:
            child.reap()
        self._dismiss_watcher()

    def _wait_for_children(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while any(child.pid is not None for child in self.children) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _look_after(self) -> None:
        chore_at = time.monotonic() + CHORE_SECONDS
        while not self._stopping.wait(LOOK_SECONDS):
            if self._chore is not None and time.monotonic() > chore_at:
                self._chore()
                chore_at = time.monotonic() + CHORE_SECONDS
            for child in self.children:
                status = child.restart_if_dead()
                if status is not None:
                    self.report(f"{child.plan.name} ended with status {status}; it is started again")

    def _start_watcher(self) -> None:
        profiles = [self._embedded_profile] if self._embedded_profile else []
        self._watcher = subprocess.Popen(
            [sys.executable, "-m", "promptsaas.supervisor.watcher", self.token, *profiles],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._working_folder,
            start_new_session=True,
        )

    def _dismiss_watcher(self) -> None:
        if self._watcher is None or self._watcher.stdin is None:
            return
        with suppress(BrokenPipeError):
            self._watcher.stdin.write(FAREWELL)
            self._watcher.stdin.close()
        self._watcher.wait()
