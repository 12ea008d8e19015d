"""A pump in a process of its own, to be killed: arguments are the pump's id and the seconds of a lease."""

import sys

import django
from django.conf import settings

if __name__ == "__main__":
    django.setup()
    settings.BATCH_LEASE_SECONDS = float(sys.argv[2])
    from apps.batches.jobs import pump

    pump(sys.argv[1])
