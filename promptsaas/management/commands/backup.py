"""`manage.py backup FILE`: the whole database in one file, while serving goes on."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from promptsaas.backup.manifest import BackupError
from promptsaas.backup.writing import write_backup


class Command(BaseCommand):
    help = "Write the whole database to a file. Keep the master keys elsewhere: they are not in it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        name = f"promptsaas-{datetime.now(UTC):%Y%m%d-%H%M%S}.backup"
        parser.add_argument("file", type=Path, nargs="?", default=Path(name))

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            manifest = write_backup(options["file"])
        except (BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        tables, rows = len(manifest.tables), manifest.rows
        self.stdout.write(f"{options['file']}: {rows} rows of {tables} tables.")
