"""``manage.py web``: dashboard, API and admin under Granian."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from promptsaas.serving import Address, web_command


class Command(BaseCommand):
    help = "Serve the dashboard, the API and the admin."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8001)
        parser.add_argument("--workers", type=int, default=1)
        parser.add_argument("--threads", type=int, default=8, help="requests at a time in each worker")

    def handle(self, *args: Any, **options: Any) -> None:
        address = Address(options["host"], options["port"])
        command = web_command(address, workers=options["workers"], threads=options["threads"])
        # Replaced rather than started: signals reach the server, and no second Django stays in memory.
        os.execv(command[0], command)  # noqa: S606
