"""`manage.py restore FILE`: a backup into an empty database, then the proofs that it is whole."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from apps.audit.sealing import seal_all
from promptsaas.backup.manifest import BackupError
from promptsaas.backup.restoring import restore_backup


class Command(BaseCommand):
    help = "Restore a backup into an empty database, then verify the audit trail and the usage ledger."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            manifest = restore_backup(options["file"])
        except BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{manifest.rows} rows of {manifest.made_at} are back.")
        # A backup may have been made between an event and its seal, a second later.
        seal_all()
        call_command("audit_verify", stdout=self.stdout, stderr=self.stderr)
        call_command("ledger_verify", stdout=self.stdout, stderr=self.stderr)
