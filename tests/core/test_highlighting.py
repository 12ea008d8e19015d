"""Texts in pieces: overlaps, edges, and nothing lost."""

from apps.core.highlighting import Piece, Span, marked_pieces


def test_pieces__of_overlapping_spans__share_what_they_have_in_common() -> None:
    pieces = marked_pieces("abcdefgh", [Span(1, 5, "one", "flag"), Span(3, 7, "two", "block")])
    assert [(piece.text, piece.names) for piece in pieces] == [
        ("a", ()),
        ("bc", ("one",)),
        ("de", ("one", "two")),
        ("fg", ("two",)),
        ("h", ()),
    ]


def test_pieces__of_spans_outside_the_text__are_cut_to_it() -> None:
    spans = [Span(-3, 2, "head"), Span(4, 99, "tail"), Span(50, 60, "gone"), Span(3, 3, "empty")]
    assert [(piece.text, piece.label) for piece in marked_pieces("abcdef", spans)] == [
        ("ab", "head"),
        ("cd", ""),
        ("ef", "tail"),
    ]
    assert marked_pieces("", spans) == []
    assert marked_pieces("plain", []) == [Piece("plain")]
