import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from promptsaas.supervisor.belongings import VARIABLE, belonging_pids
from promptsaas.supervisor.children import Child, Plan
from promptsaas.supervisor.supervisor import Supervisor

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 15.0
# Forks a child in a process group of its own, as RQ does, and ignores a polite end.
STUBBORN = (
    "import os, signal, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "if os.fork() == 0: os.setpgrp()\n"
    "time.sleep(600)\n"
)
SUPERVISE = f"""
import sys, time
from pathlib import Path
from promptsaas.supervisor.children import Plan
from promptsaas.supervisor.supervisor import Supervisor
plans = [Plan("stubborn", [sys.executable, "-c", {STUBBORN!r}])]
with Supervisor(plans, working_folder=Path(sys.argv[1]), logs=Path(sys.argv[2])) as supervisor:
    supervisor.start_all()
    print(supervisor.token, flush=True)
    time.sleep(600)
"""


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def make_supervisor(tmp_path: Path, code: str, report: Callable[[str], None] = print) -> Supervisor:
    plan = Plan("worker", [sys.executable, "-c", code])
    return Supervisor([plan], working_folder=ROOT, logs=tmp_path, report=report, grace_seconds=0.2)


def test_supervisor__child_killed__is_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    with make_supervisor(tmp_path, "import time; time.sleep(600)", said.append) as supervisor:
        supervisor.start_all()
        child = supervisor.child("worker")
        first = child.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: child.pid not in (None, first))
        assert child.restarts == 1
    assert said == ["worker ended with status -9; it is started again"]


def test_supervisor__stopped__leaves_no_process(tmp_path: Path) -> None:
    with make_supervisor(tmp_path, STUBBORN) as supervisor:
        supervisor.start_all()
        wait_for(lambda: len(belonging_pids(supervisor.token)) == 2)
    assert belonging_pids(supervisor.token) == []


def test_supervisor__killed__watcher_leaves_no_process(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, str(ROOT), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    token = process.stdout.readline().strip()
    wait_for(lambda: len(belonging_pids(token)) == 2)
    process.kill()
    process.communicate()
    wait_for(lambda: belonging_pids(token) == [])


def test_child__dies_at_once__pauses_grow(tmp_path: Path) -> None:
    child = Child(
        Plan("brief", [sys.executable, "-c", ""]), token="none", log=tmp_path / "log", working_folder=ROOT
    )
    child.start()
    wait_for(lambda: child.restart_if_dead() == 0)
    first_pause = child._pause
    wait_for(lambda: child.restart_if_dead() is None and child.restarts == 1)
    wait_for(lambda: child.restart_if_dead() == 0)
    assert child._pause > first_pause
    child.reap()


@pytest.mark.parametrize("token", ["", "x"])
def test_belonging_pids__own_process__is_never_named(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, token)
    assert os.getpid() not in belonging_pids(token)
