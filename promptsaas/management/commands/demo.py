"""``manage.py demo``: everything on one machine, and the main job on real input."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from promptsaas.demo.options import DemoError, DemoOptions
from promptsaas.demo.running import exit_with, run_demo


class Command(BaseCommand):
    help = "Start everything, run a prompt over a file of reviews, then serve until Ctrl-C."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--input", default="", help="CSV or JSONL file; our own sample without it")
        parser.add_argument("--column", default="", help="the column for the prompt's first variable")
        parser.add_argument("--expected", default="", help="the column of expected answers")
        parser.add_argument("--prompt", default="", help="name or name@label; review-sentiment without it")
        parser.add_argument("--model", default="", help="connection/model instead of the prompt's own")
        parser.add_argument("--port", type=int, default=None, help="8000, or the next free one, without it")
        parser.add_argument("--once", action="store_true", help="end after the job with a line of JSON")
        parser.add_argument("--no-job", action="store_true", help="start everything, but run nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = DemoOptions(
            input_file=options["input"],
            column=options["column"],
            expected=options["expected"],
            prompt=options["prompt"],
            model=options["model"],
            port=options["port"],
            once=options["once"],
            job=not options["no_job"],
        )
        try:
            status = run_demo(wanted)
        except DemoError as error:
            status = exit_with(error)
        sys.exit(status)
