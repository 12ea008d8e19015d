"""``manage.py demo_job``: started by ``manage.py demo`` to seed and to run the main job."""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from promptsaas.demo.driver import drive
from promptsaas.demo.options import DemoError, DemoOptions, add_demo_arguments


class Command(BaseCommand):
    help = "Part of the demo: seed, run the job and report, while manage.py demo keeps the processes up."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_demo_arguments(parser)
        parser.add_argument("--url", required=True)
        parser.add_argument("--result", type=Path, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        for ending in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ending, _leave)
        wanted = DemoOptions(
            input_file=options["input"],
            column=options["column"],
            expected=options["expected"],
            prompt=options["prompt"],
            model=options["model"],
            once=options["once"],
            job=not options["no_job"],
        )
        try:
            status = drive(wanted, url=options["url"], result=options["result"])
        except DemoError as error:
            sys.exit(f"\ndemo: {error}")
        sys.exit(status)


def _leave(number: int, frame: FrameType | None) -> None:
    # The job goes on without its spectator: quietly, the demo says what happens.
    sys.exit(130)
