"""`manage.py rollup_recount`: count runs and feedback again and name the roll-ups that say otherwise."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from apps.analytics.counting.recounting import DayRecount, recount_day
from apps.core import ids

DAYS: Final = 8


class Command(BaseCommand):
    help = "Count runs and feedback again. Exits 1 and names the roll-ups that say something else."

    def add_arguments(self, parser: ArgumentParser) -> None:
        today = datetime.now(UTC).date()
        week_ago = today - timedelta(days=DAYS - 1)
        day = "a UTC day as 2026-11-30"
        parser.add_argument(
            "--from",
            dest="first",
            type=_day,
            default=week_ago,
            help=f"{day}; default: {DAYS} days up to today",
        )
        parser.add_argument(
            "--to", dest="last", type=_day, default=today, help=f"{day}, included; default: today"
        )
        parser.add_argument("--organization", type=_organization, help="only this one, as org_…")
        parser.add_argument("--repair", action="store_true", help="write what the recount says, then exit 0")

    def handle(self, *args: Any, **options: Any) -> None:
        first, last, repair = options["first"], options["last"], options["repair"]
        if first > last:
            raise CommandError("--from must not be after --to.")
        different = 0
        for number in range((last - first).days + 1):
            found = recount_day(
                first + timedelta(days=number), organization_id=options["organization"], repair=repair
            )
            self._tell(found)
            different += found.different
        if not different:
            self.stdout.write("0 differences.")
        elif repair:
            self.stdout.write(f"{_counted(different, 'difference')}, repaired.")
        else:
            raise CommandError(f"{_counted(different, 'difference')}. --repair writes what the recount says.")

    def _tell(self, found: DayRecount) -> None:
        self.stdout.write(
            f"{found.day}: {_counted(found.runs, 'run')}, {_counted(found.rollups, 'roll-up')}, "
            f"{_counted(found.different, 'difference')}"
        )
        for difference in found.differences:
            self.stderr.write(str(difference))


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("must be a day as 2026-11-30") from None


def _organization(text: str) -> UUID:
    try:
        return ids.decode("org", text)
    except ValueError:
        raise ArgumentTypeError("must be an organization's id, as org_…") from None
