"""``manage.py worker``: one RQ worker on one queue."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.core.queue import QUEUES
from promptsaas.worker import run_worker


class Command(BaseCommand):
    help = "Work off one queue of jobs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--queue", choices=QUEUES, default="default")
        parser.add_argument("--burst", action="store_true", help="stop when the queue is empty")

    def handle(self, *args: Any, **options: Any) -> None:
        run_worker(options["queue"], burst=options["burst"])
