"""Roll-ups against a recount, under kills and under load: `python -m bench.rollups [runs] [kills] [seconds]`.

First so many runs of 30 days (1,000,000 by default) wait in groups that follow no order of time; more come
late while the job works, and feedback is given, changed and taken back. The job is a process of its own and
gets SIGKILL at random moments. Afterwards a recount must find no difference, the sums must be those of plain
queries, and every percentile must lie within 1 % of the exact one.

Then the recorder writes as fast as it can, by turns: as if there were no roll-ups, with rows left for the
job, and with the job at work.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.own_database import own_database

ROOT = Path(__file__).resolve().parent.parent
DAYS = 30
LATE_SHARE = 0.1
LATE_TURNS = 10
JOB = """
import time, django; django.setup()
from apps.analytics.jobs import count
while True:
    count(); time.sleep({pause})
"""


class Job:
    """The roll-up job in a process of its own."""

    def __init__(self, pause: float) -> None:
        self.pause = pause
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = os.environ | {"PROMPTSAAS_PROCESS": "cron", "LOG_LEVEL": "WARNING"}
        program = JOB.format(pause=self.pause)
        return subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=environment)

    @property
    def pid(self) -> int:
        """The process."""
        return self.process.pid

    def pause_or_go(self, goes: bool) -> None:
        """Let it stand still, or go on."""
        self.process.send_signal(signal.SIGCONT if goes else signal.SIGSTOP)

    def kill(self) -> None:
        """SIGKILL, whatever it does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def restart(self) -> None:
        """Kill it and start another."""
        self.kill()
        self.process = self._start()


def main(arguments: Sequence[str]) -> int:
    """Run, print tables, answer 0 when everything held."""
    numbers = [int(each) for each in arguments] + [1_000_000, 20, 60][len(arguments) :]
    with own_database():
        from bench.rollup_checks import compare_ingest  # noqa: PLC0415 - needs the settings

        lines = count_under_kills(runs=numbers[0], kills=numbers[1]) if numbers[0] else []
        lines += compare_ingest(Job, seconds=numbers[2]) if numbers[2] else []
    print()
    for words, holds in lines:
        print(f"{'ok' if holds else 'FAILED':<8}{words}")
    return 0 if all(holds for _, holds in lines) else 1


def count_under_kills(*, runs: int, kills: int) -> list[tuple[str, bool]]:
    """The first half."""
    from bench import rollup_checks as checks  # noqa: PLC0415 - needs the settings
    from bench.history import make_cast, write_history  # noqa: PLC0415
    from tests.factories import make_project  # noqa: PLC0415

    casts = [make_cast(make_project()) for _ in range(2)]
    late = int(runs * LATE_SHARE) // LATE_TURNS
    first, second = int((runs - late * LATE_TURNS) * 0.8), int((runs - late * LATE_TURNS) * 0.2)
    began = time.monotonic()
    write_history(casts[0], rows=first, days=DAYS, waiting=True)
    write_history(casts[1], rows=second, days=DAYS, waiting=True, seed=0.3)
    print(f"{first + second:,} runs written in {time.monotonic() - began:.0f} s; more come late")
    print(f"{'second':>8}  {'event':<24}{'runs that wait':>16}")
    chance = random.Random(7)
    began = time.monotonic()
    job = Job(pause=0.05)
    try:
        for number in range(kills):
            if number < LATE_TURNS:
                write_history(casts[number % 2], rows=late, days=DAYS, waiting=True, seed=0.7 + number / 99)
                checks.change_feedback(casts[number % 2].project, number)
            checks.wait_until_counting()
            time.sleep(chance.uniform(0.0, 5.0))
            event = f"kill {number + 1}{' in its midst' if checks.is_counting() else ''}"
            job.restart()
            print(f"{time.monotonic() - began:>8.1f}  {event:<24}{checks.waiting_runs():>16,}")
        while checks.waiting_runs():
            time.sleep(0.2)
        print(f"{time.monotonic() - began:>8.1f}  {'nothing waits':<24}{0:>16,}", flush=True)
    finally:
        job.kill()
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=number) for number in range(DAYS + 1)]
    return [
        *checks.recounted(days),
        *checks.plain_sums(first + second + late * min(kills, LATE_TURNS)),
        *checks.percentiles(),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
