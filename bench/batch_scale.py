"""A batch of 100,000 rows on the sandbox without latency: `python -m bench.batch_scale [rows] [seconds]`.

One pump in this process works for so many seconds; then what the pages ask, the stop, the files and the retry
are timed on what there is.
"""

import sys
import time
from collections.abc import Callable
from typing import TypeVar

from bench.own_database import own_database

Result = TypeVar("Result")


def timed(words: str, call: Callable[[], Result]) -> Result:
    """Call and print how long it took."""
    began = time.perf_counter()
    result = call()
    print(f"{words:<38}{1_000 * (time.perf_counter() - began):>12,.1f} ms")
    return result


def main() -> int:
    """Run and print."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 20.0
    with own_database():
        from bench.batch_scale_steps import run  # noqa: PLC0415 - needs the settings

        run(rows, seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
