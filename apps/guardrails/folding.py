"""One plain form of a text for all rules: a byte a character, lower case, no accents, no disguises. Pure.

Almost every text keeps its offsets, because folding is one look-up a character in C. Where characters
vanish (zero-width ones, accents of their own, Unicode tags) or become several (ligatures), offsets are kept
beside it.
"""

import codecs
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# Two bytes that cp1252 doesn't use.
LETTER: Final = 0x81
"""Stands for a letter of a script that isn't folded to a-z."""
SIGN: Final = 0x8D
_UNEVEN: Final = 0xAD
_HANDLER: Final = "promptsaas.folding"

# What looks like a Latin letter and isn't: Cyrillic, Greek and others.
_LOOKALIKES: Final = dict(
    zip(
        "аеорсухіјѕһԁԛԝвкмнтбзАВЕКМНОРСТХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧαεικνορτυχγβηωωʀɴɪɢʜʟᴀʙᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡʏᴢɡɑıłđħŧøꓲꓳꓮ",
        "aeopcyxijshdqwbkmht63abekmhopctxijsabezhikmnoptyxaeiknoptuxyphwwrnighlabcdejkmoptuvwyzgaildhtoioa",
        strict=True,
    )
)
_SIGNS: Final = {
    **dict.fromkeys("‘’‚‛′ʼ`´", "'"),
    **dict.fromkeys("“”„‟″«»‹›「」", '"'),
    **dict.fromkeys("‐‑‒–—―−﹣－", "-"),
    **dict.fromkeys("…·•‧∙", "."),
    **dict.fromkeys("\u2028\u2029\x85", "\n"),
    "⁄": "/",
    "∕": "/",
    "：": ":",
}


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text. `offsets` gives each byte's character, and is None where they are the same;
    `length` is the text's."""

    data: bytes
    length: int
    offsets: Sequence[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The characters of the text that the bytes from `start` to `end` came from."""
        if self.offsets is None:
            return start, end
        if start >= end:
            place = self.offsets[start] if start < len(self.offsets) else self.length
            return place, place
        return self.offsets[start], self.offsets[end - 1] + 1


def fold(text: str) -> Folded:
    """The plain form of a text."""
    # A byte a character for Western texts with their quotation marks and dashes; the handler does the rest.
    raw = text.encode() if text.isascii() else text.encode("cp1252", _HANDLER)
    data = raw.translate(_TABLE)
    if _UNEVEN_BYTE in data:
        return _uneven(text)
    return Folded(data, len(text))


def _uneven(text: str) -> Folded:
    """Character by character, for texts whose offsets shift."""
    parts: list[bytes] = []
    offsets: list[int] = []
    for place, character in enumerate(text):
        plain = _whole(character)
        parts.append(plain)
        offsets.extend([place] * len(plain))
    return Folded(b"".join(parts), len(text), offsets)


class _Cache(dict[str, bytes]):
    """Plain forms by character; bounded by Unicode itself."""

    def __missing__(self, character: str) -> bytes:
        found = self[character] = _plain(character)
        return found


def _plain(character: str) -> bytes:
    code = ord(character)
    if code < 0x80:
        return character.lower().encode()
    sign = _SIGNS.get(character) or _LOOKALIKES.get(character)
    if sign is not None:
        return sign.encode()
    if code == _UNEVEN or unicodedata.category(character) in ("Cf", "Mn", "Me") or 0xFE00 <= code <= 0xFE0F:
        return b""
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit).encode()
    return _decomposed(character)


def _decomposed(character: str) -> bytes:
    parts = unicodedata.normalize("NFKD", character)
    if parts != character:
        return b"".join(map(_whole, parts))
    special = {"ß": b"s", "æ": b"a", "Æ": b"a", "ð": b"d", "Ð": b"d", "þ": b"t", "Þ": b"t", "Ø": b"o"}
    if character in special:
        return special[character]
    if character.isalpha():
        return bytes((LETTER,))
    return b" " if character.isspace() or unicodedata.category(character) == "Cc" else bytes((SIGN,))


_cache: Final = _Cache()
_whole: Final = _cache.__getitem__


def _single(character: str) -> int:
    plain = _whole(character)
    return plain[0] if len(plain) == 1 else _UNEVEN


class _Singles(dict[str, int]):
    def __missing__(self, character: str) -> int:
        found = self[character] = _single(character)
        return found


_singles: Final = _Singles()


def _fold_run(error: UnicodeError) -> tuple[bytes, int]:
    """What a run of characters beyond cp1252 is encoded as: one byte each."""
    assert isinstance(error, UnicodeEncodeError)
    return bytes(map(_singles.__getitem__, error.object[error.start : error.end])), error.end


_WESTERN: Final = [bytes((code,)).decode("cp1252", "ignore") for code in range(256)]
_TABLE: Final = bytes(_single(letter) if letter else code for code, letter in enumerate(_WESTERN))
_UNEVEN_BYTE: Final = bytes((_UNEVEN,))
codecs.register_error(_HANDLER, _fold_run)
