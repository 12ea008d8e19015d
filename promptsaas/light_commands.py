"""Commands that start other programs: they need no Django themselves, and loading it takes a second."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from promptsaas.demo.options import add_demo_arguments
from promptsaas.demo.running import demo_main
from promptsaas.embedded.command_line import prepare
from promptsaas.metrics_folder import prepare_metrics_folder
from promptsaas.serving import Address, gateway_command, web_command


@dataclass(frozen=True)
class LightCommand:
    """A `manage.py` command outside Django's machinery; `manage.py help <name>` still knows it."""

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]

    def main(self, arguments: Sequence[str]) -> int:
        """Parse and run; the exit status."""
        parser = argparse.ArgumentParser(prog=f"manage.py {self.name}", description=self.help)
        self.add_arguments(parser)
        wanted = parser.parse_args(arguments)
        prepare([sys.argv[0], self.name])
        return self.run(wanted)


def _listen(parser: argparse.ArgumentParser, port: int) -> None:
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=port)
    parser.add_argument("--workers", type=int, default=1)


def _web_arguments(parser: argparse.ArgumentParser) -> None:
    _listen(parser, 8001)
    parser.add_argument("--threads", type=int, default=8, help="requests at a time in each worker")


def _gateway_arguments(parser: argparse.ArgumentParser) -> None:
    _listen(parser, 8000)
    parser.add_argument("--web", default="", help="address of web, for example http://127.0.0.1:8001")


def _web(wanted: argparse.Namespace) -> int:
    address = Address(wanted.host, wanted.port)
    _share_metrics("web", wanted.workers)
    return _become(web_command(address, workers=wanted.workers, threads=wanted.threads))


def _gateway(wanted: argparse.Namespace) -> int:
    if wanted.web:
        os.environ["WEB_UPSTREAM"] = wanted.web
    _share_metrics("gateway", wanted.workers)
    return _become(gateway_command(Address(wanted.host, wanted.port), workers=wanted.workers))


def _share_metrics(process: str, workers: int) -> None:
    # One process counts in its own memory, which takes half the time.
    if workers > 1:
        prepare_metrics_folder(process)


def _become(command: Sequence[str]) -> int:
    # Replaced rather than started: signals reach the server itself.
    os.execv(command[0], list(command))  # noqa: S606


LIGHT_COMMANDS = {
    command.name: command
    for command in (
        LightCommand("web", "Serve the dashboard, the API and the admin.", _web_arguments, _web),
        LightCommand(
            "gateway",
            "Serve the gateway; with --web also the public origin, passing everything else on to web.",
            _gateway_arguments,
            _gateway,
        ),
        LightCommand(
            "demo",
            "Start everything, run a prompt over a file of reviews, then serve until Ctrl-C.",
            add_demo_arguments,
            demo_main,
        ),
    )
}
