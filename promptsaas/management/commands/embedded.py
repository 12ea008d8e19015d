"""``manage.py embedded``: start, stop and look at the embedded Postgres and Valkey."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from promptsaas import embedded


class Command(BaseCommand):
    help = "Start, stop or look at the embedded Postgres and Valkey of a profile."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["start", "stop", "stop-if-unused", "status", "env"])
        parser.add_argument(
            "--profile", choices=embedded.PROFILES, default=embedded.profile_from_environment()
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._act(options["action"], options["profile"])
        except embedded.EmbeddedError as error:
            raise CommandError(str(error)) from error

    def _act(self, action: str, profile: str) -> None:
        if action == "start":
            embedded.ensure_running(profile)
        elif action == "stop":
            embedded.stop(profile)
        elif action == "stop-if-unused":
            if not embedded.stop_if_unused(profile):
                self.stdout.write(f"{profile}: in use, left running")
            return
        if action == "env":
            self._print_environment(profile)
        else:
            self._print_status(profile)

    def _print_status(self, profile: str) -> None:
        for name, pid in embedded.status(profile).items():
            self.stdout.write(f"{profile} {name}: {'not running' if pid is None else f'running, pid {pid}'}")

    def _print_environment(self, profile: str) -> None:
        # For a shell: eval "$(python manage.py embedded env)"
        found = embedded.endpoints(profile)
        self.stdout.write(f"export DATABASE_URL='{found.database_url}'")
        self.stdout.write(f"export MIGRATION_DATABASE_URL='{found.migration_database_url}'")
        self.stdout.write(f"export REDIS_URL='{found.redis_url}'")
