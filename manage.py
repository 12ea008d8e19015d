#!/usr/bin/env python
"""Django's command line. Without DATABASE_URL and REDIS_URL it starts the embedded servers first."""

import os
import sys

from django.core.management import execute_from_command_line

from promptsaas.embedded.command_line import prepare

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "promptsaas.settings")
    prepare(sys.argv)
    execute_from_command_line(sys.argv)
