"""What a run and a batch's row take in Postgres: `python -m bench.storage [rows] [characters]`.

A batch with inputs of so many characters runs on the sandbox; then each table is asked what it holds, indexes
and long values too, and the server how much processor time it took. Nothing else may use the servers of the
benches meanwhile.
"""

import sys

from bench.own_database import BENCH, own_database


def main() -> int:
    """Run and print."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    characters = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000
    with own_database(BENCH):
        from bench.storage_tables import measure  # noqa: PLC0415 - needs the settings

        return measure(rows, characters)


if __name__ == "__main__":
    sys.exit(main())
