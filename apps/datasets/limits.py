"""How large a dataset and its files may be."""

from typing import Final

MAX_FILE_BYTES: Final = 100 * 1024 * 1024
MAX_ROWS: Final = 1_000_000

SMALL_FILE_BYTES: Final = 2 * 1024 * 1024
"""Read and imported while the caller waits: less than a second. Larger ones are a worker's."""

MOST_PROBLEMS_KEPT: Final = 10_000
"""Rows that can't be used are all counted, and so many kept to be looked at."""

MOST_ROWS_COPIED: Final = 200_000
"""Into a next version while the caller waits, about two seconds. Larger datasets take files only."""

MOST_ROWS_COMPARED: Final = 200_000
"""Of two versions together: more would take longer than a page may."""
