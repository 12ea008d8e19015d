"""Patterns on RE2, which takes time in proportion to the text whatever the pattern. Pure.

Our own run on folded bytes, customers' on the text as it is.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import re2

LARGEST_PROGRAM: Final = 5_000
MEMORY: Final = 2 * 1024 * 1024
# Python's and Perl's ends of the text: several texts are looked through as one.
_TEXT_ENDS: Final = re.compile(r"(?:^|[^\\])(?:\\\\)*\\[AzZ]")


def _options(*, latin: bool) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY
    if latin:
        options.encoding = re2.Options.Encoding.LATIN1
    return options


_LATIN: Final = _options(latin=True)
_UNICODE: Final = _options(latin=False)


class PatternSet:
    """Patterns of ours, or made by us, that are looked for in folded texts in one go."""

    def __init__(self, patterns: Sequence[str], *, memory: int = 8 * MEMORY) -> None:
        options = _options(latin=True)
        options.never_capture = True
        options.max_mem = memory
        self._set = re2.Set.SearchSet(options)
        for pattern in patterns:
            self._set.Add(pattern.encode("latin-1"))
        # It matches every text, so an answer without it says that RE2 ran out of memory.
        self._sentinel = self._set.Add(b"")
        self._set.Compile()
        self._everything = tuple(range(self._sentinel))

    def find(self, data: bytes) -> Sequence[int]:
        """The numbers of the patterns that are there; of all of them where that can't be told."""
        numbers = self._set.Match(data)
        if numbers is None:
            return self._everything
        return () if len(numbers) == 1 else [number for number in numbers if number != self._sentinel]


def folded_pattern(pattern: str) -> Any:
    """A pattern of ours for folded texts. It has no groups: they would cost several times as much."""
    return re2.compile(pattern.encode("latin-1"), _LATIN)


@lru_cache(maxsize=2_000)
def customer_pattern(pattern: str) -> Any:
    """A checked pattern of a customer's, for texts as they are."""
    return re2.compile(f"(?m){pattern}", _UNICODE)


def check_pattern(pattern: str) -> str | None:
    """Why a pattern can't be used; None where it can."""
    try:
        compiled = re2.compile(f"(?m){pattern}", _UNICODE)
    except re2.error as error:
        return f"RE2 refuses it: {_words(error)}."
    if compiled.programsize > LARGEST_PROGRAM:
        return "It grows too large: use smaller repetitions."
    if _TEXT_ENDS.search(pattern):
        return r"Use ^ and $ in place of \A and \z: they stand for the ends of a line."
    if compiled.search("") is not None:
        return "It matches the empty text, so it would match everywhere."
    return None


def _words(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return text[:200].rstrip(".") or "it can't be read"
