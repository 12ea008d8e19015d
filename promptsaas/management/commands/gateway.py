"""``manage.py gateway``: the serving plane under Granian, with the path router in front."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from promptsaas.serving import Address, gateway_command


class Command(BaseCommand):
    help = "Serve the gateway; with --web also the public origin, passing everything else on to web."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--workers", type=int, default=1)
        parser.add_argument("--web", default="", help="address of web, for example http://127.0.0.1:8001")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["web"]:
            os.environ["WEB_UPSTREAM"] = options["web"]
        command = gateway_command(Address(options["host"], options["port"]), workers=options["workers"])
        os.execv(command[0], command)  # noqa: S606
