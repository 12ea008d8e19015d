"""A text in pieces, some of which are marked: for pages that show where something was found. Pure."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A marked stretch of a text, in characters; `name` says what was found, `kind` how bad it is."""

    start: int
    end: int
    name: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text that is marked alike: by no name, or by those that overlap there."""

    text: str
    names: tuple[str, ...] = ()
    kind: str = ""

    @property
    def marked(self) -> bool:
        """Whether anything was found here."""
        return bool(self.names)

    @property
    def label(self) -> str:
        """What was found here."""
        return ", ".join(self.names)


def marked_pieces(text: str, spans: Iterable[Span]) -> list[Piece]:
    """The whole text in order; overlapping spans share their pieces, spans outside of it are cut to it."""
    within = [
        Span(max(0, span.start), min(len(text), span.end), span.name, span.kind)
        for span in spans
        if span.start < len(text) and span.end > max(0, span.start)
    ]
    edges = sorted({0, len(text), *(edge for span in within for edge in (span.start, span.end))})
    pieces = [_piece(text, start, end, within) for start, end in itertools.pairwise(edges)]
    return _joined([piece for piece in pieces if piece.text])


def _piece(text: str, start: int, end: int, spans: Sequence[Span]) -> Piece:
    here = [span for span in spans if span.start <= start and span.end >= end]
    names = tuple(dict.fromkeys(span.name for span in here))
    return Piece(text[start:end], names, here[0].kind if here else "")


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    found: list[Piece] = []
    for piece in pieces:
        if found and (found[-1].names, found[-1].kind) == (piece.names, piece.kind):
            found[-1] = Piece(found[-1].text + piece.text, piece.names, piece.kind)
        else:
            found.append(piece)
    return found
