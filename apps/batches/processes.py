"""Which process a pump runs in, and whether that one is gone: told apart on its own host only."""

import os
import socket
from functools import cache
from pathlib import Path


def process_name() -> str:
    """This process among all hosts' and containers'."""
    return f"{_place()}:{os.getpid()}"


def is_gone(name: str) -> bool:
    """Whether a process of this host and container has ended. False for those that can't be seen from here.

    A container of the same pod has our host's name and other process ids: so its own are told apart too.
    """
    place, _, pid = name.rpartition(":")
    if place != _place() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@cache
def _place() -> str:
    namespace = Path("/proc/self/ns/pid")
    inode = namespace.stat().st_ino if namespace.exists() else 0
    return f"{socket.gethostname()[:63]}:{inode}"
