"""``manage.py cron``: the periodic jobs."""

from typing import Any

from django.core.management.base import BaseCommand

from promptsaas.cron import run_cron


class Command(BaseCommand):
    help = "Run the periodic jobs until stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        run_cron()
