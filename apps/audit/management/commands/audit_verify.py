"""`manage.py audit_verify`: name the first row of the audit trail that is bad or unsealed."""

import dataclasses
import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from apps.audit import queries


class Command(BaseCommand):
    help = (
        "Verify every audit chain. Exits 1 and names the first bad or unsealed row. "
        "Chain heads kept elsewhere also show a chain that was cut short."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="name every bad row, not the first only")
        parser.add_argument("--write-heads", type=Path, metavar="FILE", help="write the chains' heads")
        parser.add_argument("--heads", type=Path, metavar="FILE", help="compare with heads written before")

    def handle(self, *args: Any, **options: Any) -> None:
        found = 0
        for problem in queries.verify():
            found += 1
            self.stderr.write(str(problem))
            if not options["all"]:
                break
        if options["heads"] and not found:
            for problem in queries.verify_heads(_read(options["heads"])):
                found += 1
                self.stderr.write(str(problem))
        if found:
            raise CommandError("The audit trail does not verify.")
        heads = queries.heads()
        if options["write_heads"]:
            _write(options["write_heads"], heads)
        events = sum(head.sequence for head in heads)
        self.stdout.write(f"{events} events in {len(heads)} chains verify.")


def _write(path: Path, heads: list[queries.Head]) -> None:
    path.write_text(json.dumps([dataclasses.asdict(head) for head in heads], default=str, indent=1))


def _read(path: Path) -> list[queries.Head]:
    return [
        queries.Head(
            organization_id=UUID(entry["organization_id"]) if entry["organization_id"] else None,
            sequence=int(entry["sequence"]),
            hash=str(entry["hash"]),
        )
        for entry in json.loads(path.read_text())
    ]
