"""Replacing what was found by placeholders, and telling where it stands then. Pure."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cut:
    """Characters from `start` to `end` give way to `placeholder`."""

    start: int
    end: int
    placeholder: str


class Redacted:
    """A text with its cuts made. Cuts that overlap become one, with the placeholder of the first."""

    def __init__(self, text: str, cuts: Iterable[Cut]) -> None:
        self._cuts: list[Cut] = []
        for cut in sorted(cuts, key=lambda one: (one.start, -one.end)):
            if self._cuts and cut.start < self._cuts[-1].end:
                last = self._cuts[-1]
                self._cuts[-1] = Cut(last.start, max(last.end, cut.end), last.placeholder)
            else:
                self._cuts.append(cut)
        self._shifts: list[int] = []
        parts: list[str] = []
        done = shift = 0
        for cut in self._cuts:
            parts += (text[done : cut.start], cut.placeholder)
            self._shifts.append(shift)
            shift += len(cut.placeholder) - (cut.end - cut.start)
            done = cut.end
        self._shifts.append(shift)
        self._starts = [cut.start for cut in self._cuts]
        self.text = "".join((*parts, text[done:]))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where characters from `start` to `end` of the old text stand in the new one, placeholders whole."""
        return self._place(start, at_end=False), self._place(end, at_end=True)

    def _place(self, place: int, *, at_end: bool) -> int:
        number = bisect_right(self._starts, place - 1 if at_end else place) - 1
        if number < 0:
            return place
        cut = self._cuts[number]
        if place < cut.end or (at_end and place == cut.end):
            begin = cut.start + self._shifts[number]
            return begin + len(cut.placeholder) if at_end else begin
        return place + self._shifts[number + 1]
