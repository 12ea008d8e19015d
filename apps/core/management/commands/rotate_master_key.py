"""`manage.py rotate_master_key`: wrap every data key under the newest master key."""

from typing import Any

from django.core.management.base import BaseCommand

from apps.core import crypto, keys


class Command(BaseCommand):
    help = "Wrap every organization's data key under the newest of MASTER_KEYS. Sealed rows are not touched."

    def handle(self, *args: Any, **options: Any) -> None:
        count = crypto.rewrap_data_keys()
        newest = max(keys.master_keys())
        self.stdout.write(f"{count} data keys rewrapped under master key {newest}.")
        self.stdout.write("Older master keys may leave MASTER_KEYS now.")
