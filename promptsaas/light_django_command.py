"""A light command as Django sees it: for `manage.py help` and `call_command`."""

from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandParser

from promptsaas.light_commands import LIGHT_COMMANDS


class LightDjangoCommand(BaseCommand):
    """Shows a light command's help; `manage.py` runs it without coming here."""

    name: ClassVar[str]
    requires_system_checks: list[str] = []

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.help = LIGHT_COMMANDS[self.name].help

    def add_arguments(self, parser: CommandParser) -> None:
        LIGHT_COMMANDS[self.name].add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        raise SystemExit(LIGHT_COMMANDS[self.name].main([]))
