"""`manage.py ledger_verify`: name the usage events that don't match their keys."""

from argparse import ArgumentParser
from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.billing.verification import LedgerVerification


class Command(BaseCommand):
    help = "Verify the usage ledger. Exits 1 and names the first row that doesn't hold."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="name every bad row, not the first only")

    def handle(self, *args: Any, **options: Any) -> None:
        verification = LedgerVerification()
        problems = list(islice(verification.problems(), None if options["all"] else 1))
        for problem in problems:
            self.stderr.write(str(problem))
        if problems:
            raise CommandError("The usage ledger does not verify.")
        self.stdout.write(f"{verification.checked} usage events verify.")
