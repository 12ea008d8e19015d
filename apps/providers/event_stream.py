"""Server-sent events as providers stream them: the `data` of each event, from bytes as they come. Pure.

Lines and the whole stream are bounded, so that no provider can fill the memory.
"""

from typing import Final

LONGEST_EVENT: Final = 8 * 1024 * 1024
LONGEST_STREAM: Final = 64 * 1024 * 1024
_DATA: Final = b"data"


class EventTooLarge(Exception):
    """An event or a stream is larger than may be kept."""


class EventReader:
    """Takes the bytes of one stream and gives its events."""

    def __init__(self) -> None:
        self._unfinished: list[bytes] = []  # pieces of a line: joined once, however small they come
        self._waiting = 0
        self._total = 0
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of each event that this chunk completes; data lines of one event joined by line feeds.

        Raises EventTooLarge.
        """
        self._total += len(chunk)
        if self._total > LONGEST_STREAM:
            raise EventTooLarge
        if b"\n" not in chunk and b"\r" not in chunk:
            self._keep(chunk)
            return []
        *lines, rest = _lines(b"".join([*self._unfinished, chunk]))
        self._unfinished, self._waiting = [], 0
        self._keep(rest)
        return [event for event in map(self._take, lines) if event is not None]

    def _keep(self, piece: bytes) -> None:
        self._unfinished.append(piece)
        self._waiting += len(piece)
        if self._waiting > LONGEST_EVENT:
            raise EventTooLarge

    def _take(self, line: bytes) -> bytes | None:
        if line:
            name, _, value = line.partition(b":")
            if name == _DATA:
                self._data.append(value.removeprefix(b" "))
                self._size += len(value)
                if self._size > LONGEST_EVENT:
                    raise EventTooLarge
            return None
        if not self._data:
            return None
        event = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data, self._size = [], 0
        return event


def _lines(text: bytes) -> list[bytes]:
    """The whole lines, and last what is not one yet; a line ends in CR, LF or both."""
    if b"\r" not in text:
        return text.split(b"\n")
    held = b"\r" if text.endswith(b"\r") else b""  # an LF may follow
    lines = text.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    lines[-1] += held
    return lines
