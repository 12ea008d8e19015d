"""Lines of text out of chunks of bytes, untranslated, so that quoted line breaks survive."""

import codecs
import io
from collections.abc import Iterable, Iterator
from typing import Final

from typing_extensions import Buffer

MAX_RAW_CHARACTERS: Final = 1000
MARK_UNDECODABLE: Final = "mark-undecodable"


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udc80", error.end


# The built-in handlers don't fit: surrogateescape fails on half a UTF-16 character, replace hides the loss.
codecs.register_error(MARK_UNDECODABLE, _mark)


class ChunkReader(io.RawIOBase):
    """A readable file over an iterable of chunks, of which it holds one at a time."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = memoryview(chunk)
        target = memoryview(buffer)
        count = min(len(target), len(self._left))
        target[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def text_lines(chunks: Iterable[bytes], encoding: str) -> Iterator[str]:
    """The lines with their line ends; undecodable bytes become lone surrogates for the caller to refuse."""
    reader = io.BufferedReader(ChunkReader(chunks), 64 * 1024)
    lines = io.TextIOWrapper(reader, encoding=encoding, errors=MARK_UNDECODABLE, newline="")
    for number, line in enumerate(lines):
        yield line.removeprefix("\ufeff") if number == 0 else line


class LineRecorder(Iterator[str]):
    """Passes lines on to a parser and remembers those of the current record, and where it began."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._line = 0
        self._record: list[str] = []
        self._length = 0
        self.first_line = 1

    def __next__(self) -> str:
        line = next(self._lines)
        self._line += 1
        if self._length < MAX_RAW_CHARACTERS:
            self._record.append(line)
            self._length += len(line)
        return line

    def start_record(self) -> None:
        """Forget the previous record."""
        self._record.clear()
        self._length = 0
        self.first_line = self._line + 1

    @property
    def raw(self) -> str:
        """The text of the current record as it stands in the file, cut at a thousand characters."""
        return "".join(self._record)[:MAX_RAW_CHARACTERS].rstrip("\r\n")
