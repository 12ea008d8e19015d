#!/usr/bin/env python
"""The command line. Without DATABASE_URL and REDIS_URL it starts the embedded servers first."""

import os
import sys

from django.core.management import execute_from_command_line

from promptsaas.embedded.command_line import prepare
from promptsaas.light_commands import LIGHT_COMMANDS

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "promptsaas.settings")
    light = LIGHT_COMMANDS.get(sys.argv[1]) if len(sys.argv) > 1 else None
    if light is not None:
        sys.exit(light.main(sys.argv[2:]))
    prepare(sys.argv)
    execute_from_command_line(sys.argv)
