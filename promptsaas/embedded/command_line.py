"""Starting the embedded servers for a `manage.py` command that needs them."""

import os
import sys
from collections.abc import Sequence

from promptsaas.embedded import EmbeddedError, ensure_running, profile_from_environment
from promptsaas.metrics_folder import prepare_metrics_folder

# These read no row and work on a machine without servers.
WITHOUT_SERVERS = frozenset(
    {"check", "collectstatic", "compilemessages", "diffsettings", "embedded", "findstatic", "help"}
    | {"makemigrations", "makemessages", "spectacular", "version", "--help", "-h", "--version"}
)
SERVING = frozenset({"web", "gateway", "worker", "cron"})


def prepare(arguments: Sequence[str]) -> None:
    """Before Django loads: say which process this is, and start the servers that the command needs."""
    command = arguments[1] if len(arguments) > 1 else "help"
    if command in SERVING | {"demo"}:
        os.environ["PROMPTSAAS_PROCESS"] = command
    if command == "worker" and "--help" not in arguments:
        # Each of its jobs is a process of its own.
        prepare_metrics_folder(command)
    if command in WITHOUT_SERVERS or "--help" in arguments or not uses_embedded():
        return
    try:
        ensure_running(profile_from_environment())
    except EmbeddedError as error:
        sys.exit(f"{command}: {error}")


def uses_embedded() -> bool:
    """Whether either address is missing, so that the settings fall back to the embedded servers."""
    if os.environ.get("PROMPTSAAS_ENV") == "production":
        return False
    return not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"))
