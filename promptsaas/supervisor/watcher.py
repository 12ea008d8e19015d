"""The supervisor's witness: when the supervisor is gone, however it went, ends what it left.

Run as `python -m promptsaas.supervisor.watcher <token> [<embedded profile>]` with a pipe from the supervisor
as standard input. The kernel closes the pipe even on SIGKILL.
"""

import signal
import sys

from promptsaas.embedded import EmbeddedError, stop_if_unused
from promptsaas.supervisor.belongings import end_all

GRACE_SECONDS = 5.0
FAREWELL = b"done"


def main(arguments: list[str]) -> int:
    """Wait for the supervisor's end; "done" on the pipe means that it has tidied up itself."""
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    if FAREWELL in sys.stdin.buffer.read():
        return 0
    token, *profiles = arguments
    end_all(token, GRACE_SECONDS)
    for profile in profiles:
        try:
            stop_if_unused(profile)
        except EmbeddedError:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
