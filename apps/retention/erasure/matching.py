"""Finding texts in rows and files. Pure: free of Django."""

import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

# How a file may write a text: what people's programs save CSV and JSONL as.
ENCODINGS: Final = ("utf-8", "utf-16-le", "utf-16-be", "cp1252")
# Their content is compressed, so nothing can be found in them.
ARCHIVE_STARTS: Final = (b"PK\x03\x04", b"\x1f\x8b", b"\xfd7zXZ", b"BZh", b"(\xb5/\xfd")


class Texts:
    """Some texts to be found wherever they stand, whatever their case."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.given = tuple(text for text in texts if text)
        # A text may hold JSON itself, in which other letters than ASCII's stand as escapes.
        escaped = {json.dumps(form)[1:-1] for text in self.given for form in _forms(text)}
        words = {*self.given, *escaped}
        self._folded = tuple(sorted({folded(text) for text in words}))
        self._in_json = tuple(sorted({folded(json.dumps(text, ensure_ascii=False)[1:-1]) for text in words}))
        self._spelled = tuple(sorted({spelled for text in self.given for spelled in _spellings(text)}))

    def __bool__(self) -> bool:
        return bool(self._folded)

    def stand_in(self, *values: Any) -> bool:
        """Whether one of the texts stands in a text, or in any name or value of JSON."""
        if not self._folded:
            return False
        return any(any(text in folded(each) for text in self._folded) for each in words_of(values))

    def stand_in_json(self, document: bytes) -> bool:
        """Whether one of the texts stands in a document of JSON in UTF-8, without taking it apart."""
        text = folded(document.decode("utf-8", "replace"))
        return any(each in text for each in self._in_json)

    def stand_in_bytes(self, chunks: Iterable[bytes]) -> bool:
        """Whether one of the texts stands in a file, in any usual encoding, also across its chunks."""
        if not self._spelled:
            return False
        keep, rest = max(map(len, self._spelled)) - 1, b""
        for chunk in chunks:
            rest += chunk.lower()
            if any(spelled in rest for spelled in self._spelled):
                return True
            rest = rest[-keep:] if keep else b""
        return False


def folded(text: str) -> str:
    """A text as it is compared: without case, composed alike."""
    return unicodedata.normalize("NFKC", text).casefold()


def words_of(value: Any) -> Iterator[str]:
    """Every text in a value of JSON, the names and numbers too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield str(name)
            yield from words_of(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from words_of(item)
    elif isinstance(value, bytes):
        yield value.decode("utf-8", "replace")
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def is_archive(start: bytes) -> bool:
    """Whether a file's first bytes are those of a compressed one."""
    return start.startswith(ARCHIVE_STARTS)


def _forms(text: str) -> set[str]:
    return {text, text.lower(), text.upper(), text.title(), unicodedata.normalize("NFD", text)}


def _spellings(text: str) -> Iterator[bytes]:
    """The bytes that a file may hold for a text, in lower case as far as ASCII goes."""
    forms = _forms(text)
    forms |= {json.dumps(form)[1:-1] for form in forms} | {form.replace('"', '""') for form in forms}
    for form in forms:
        for encoding in ENCODINGS:
            try:
                yield form.encode(encoding).lower()
            except UnicodeEncodeError:
                continue
