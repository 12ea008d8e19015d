"""Large pages for what a process has loaded, on Linux.

A run touches some thousand places of tens of megabytes. By pages of 4 kB the processor looks up many of them
anew for each run that comes after a pause, the more so in a virtual machine (docs/decisions/0033).
"""

import ctypes
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PAGE: Final = 2 * 1024 * 1024
SLOW_SECONDS: Final = 0.02
"""Of the processor. A page takes about half a millisecond where there is room."""

LONGEST_SECONDS: Final = 1.0
_MAPS: Final = Path("/proc/self/maps")
# See madvise(2).
_WANT_LARGE: Final = 14
_MAKE_LARGE_NOW: Final = 25
_OWN: Final = ("", "[heap]")


def lay_on_large_pages() -> int:
    """Move the process's own memory, as far as it fills large pages, onto them; how many bytes were moved.

    Page by page, and no further once the kernel has to look for room: until it has found some, whatever
    touches memory in this process waits. Nothing happens, and 0 is returned, where the system knows no such
    thing or has switched it off.
    """
    try:
        places = list(_own_memory())
        advise = ctypes.CDLL(None).madvise
    except (OSError, AttributeError, TypeError):
        return 0
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    moved = 0
    began = time.thread_time()
    for start, end in places:
        if advise(start, end - start, _WANT_LARGE) != 0:
            continue
        for page in range(start, end, PAGE):
            asked = time.thread_time()
            if advise(page, PAGE, _MAKE_LARGE_NOW) == 0:
                moved += PAGE
            now = time.thread_time()
            if now - asked > SLOW_SECONDS or now - began > LONGEST_SECONDS:
                return moved
    return moved


def _own_memory() -> Iterator[tuple[int, int]]:
    """The parts of the heap and of other private memory that large pages fit into."""
    for line in _MAPS.read_text().splitlines():
        place, rights, _, _, _, *name = line.split(maxsplit=5)
        if not rights.startswith("rw-p") or "".join(name) not in _OWN:
            continue
        first, last = (int(each, 16) for each in place.split("-"))
        start, end = -(-first // PAGE) * PAGE, last // PAGE * PAGE
        if start < end:
            yield start, end
