"""Reading CSV and JSONL of unknown origin: what a file is, and its rows one by one. Free of Django.

Nothing is guessed silently: ``sniff`` says what it recognised and ``read_rows`` takes exactly that, so a page
can show the facts and a person can overrule them. Memory stays at one record, however long the file.
"""

import codecs
import csv
import io
import itertools
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import orjson

from apps.core.json_bodies import DEPTH_LIMIT, is_too_deep
from apps.datasets.byte_streams import LineRecorder, text_lines

Format = Literal["csv", "jsonl"]
ENCODINGS: Final = ("utf-8", "utf-16-le", "utf-16-be", "windows-1252")
DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
SNIFF_BYTES: Final = 256 * 1024
MAX_FIELD_CHARACTERS: Final = 1024 * 1024
MAX_COLUMNS: Final = 200
# The parser itself has to swallow an oversized field whole: stopped inside, it would take the rest of the
# field for rows of their own.
_PARSER_FIELD_LIMIT: Final = 64 * 1024 * 1024
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_ESCAPED_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_LARGEST_INTEGER: Final = 2**63

_BINARY_STARTS: Final = (
    (b"PK\x03\x04", "This is a ZIP archive or an Excel workbook (.xlsx), which is never unpacked here."),
    (b"PK\x05\x06", "This is an empty ZIP archive."),
    (b"\x1f\x8b", "This is a gzip archive, which is never unpacked here."),
    (b"BZh", "This is a bzip2 archive, which is never unpacked here."),
    (b"\xfd7zXZ", "This is an xz archive, which is never unpacked here."),
    (b"7z\xbc\xaf\x27\x1c", "This is a 7-Zip archive, which is never unpacked here."),
    (b"\x28\xb5\x2f\xfd", "This is a Zstandard archive, which is never unpacked here."),
    (b"\xd0\xcf\x11\xe0", "This is an old Excel workbook (.xls)."),
    (b"PAR1", "This is a Parquet file."),
    (b"%PDF", "This is a PDF."),
    (b"\xff\xfe\x00\x00", "This file is in UTF-32."),
    (b"\x00\x00\xfe\xff", "This file is in UTF-32."),
)

_BYTE_ORDER_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)


class UnreadableFile(ValueError):
    """The file as a whole can't be read; the text says why and what would help."""


class TooManyRows(ValueError):
    """The file has more rows than the caller takes."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a file is. ``delimiter`` is empty for JSONL; ``columns`` are in the order of the file.

    ``header`` is the first line as it stands, where it holds names: empty and repeated ones got another name
    in ``columns``. ``rows``, ``problem_rows`` and ``repeated_rows`` count the whole file (see ``measure``).
    """

    format: Format
    encoding: str
    byte_order_mark: bool
    delimiter: str
    has_header: bool
    columns: tuple[str, ...]
    quoted_newlines: bool
    header: tuple[str, ...] = ()
    rows: int = 0
    problem_rows: int = 0
    repeated_rows: int = 0

    @property
    def delimiter_name(self) -> str:
        return DELIMITERS.get(self.delimiter, "")

    @property
    def renamed(self) -> tuple[tuple[int, str, str], ...]:
        """Columns that could not keep the name of the file: number from 1, name there, name here."""
        pairs = zip(self.header, self.columns, strict=False)
        return tuple(
            (number, there, here)
            for number, (there, here) in enumerate(pairs, start=1)
            if there.strip() != here
        )


@dataclass(frozen=True, slots=True)
class GoodRow:
    """One record: its line in the file (the first of it, from 1) and its values by column.

    CSV values are text. JSONL values are what the JSON says.
    """

    line: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BadRow:
    """One record that can't be used, with the reason in words and its raw text."""

    line: int
    reason: str
    raw: str


def sniff(head: bytes, *, whole: bool) -> FileFacts:
    """Recognise format, encoding, delimiter and columns from the first bytes.

    ``whole`` says that ``head`` is the entire file. Raises UnreadableFile with a hint.
    """
    for start, reason in _BINARY_STARTS:
        if head.startswith(start):
            raise UnreadableFile(f"{reason} Save it as CSV or JSONL in UTF-8 and upload that.")
    if not head.strip(b"\x00\r\n\t \xef\xbb\xbf\xff\xfe"):
        raise UnreadableFile("The file is empty.")
    encoding, marked = _encoding(head)
    text = _decoded(head, encoding, whole)
    first = text.lstrip()[:1]
    if first == "[":
        raise UnreadableFile("This is a JSON array. Write one object a line (JSONL) instead.")
    if first == "{":
        facts = FileFacts("jsonl", encoding, marked, "", False, (), False)
        return replace(facts, columns=_json_columns(text, whole))
    return _sniff_csv(text, encoding, marked, whole)


def with_choices(
    facts: FileFacts, head: bytes, *, delimiter: str, encoding: str, has_header: bool
) -> FileFacts:
    """The facts again after a person overruled them. Raises UnreadableFile when the choice can't be read."""
    if encoding not in ENCODINGS:
        raise UnreadableFile(f"Unknown encoding {encoding!r}.")
    if facts.format == "jsonl":
        chosen = replace(facts, encoding=encoding)
        return replace(chosen, columns=_json_columns(_decoded(head, encoding, False), False))
    if delimiter not in DELIMITERS:
        raise UnreadableFile(f"Unknown delimiter {delimiter!r}.")
    records = _records(_decoded(head, encoding, False), delimiter, whole=False)
    chosen = replace(facts, encoding=encoding, delimiter=delimiter, has_header=has_header)
    return _with_columns(chosen, records[0])


def measure(chunks: Iterable[bytes], facts: FileFacts, *, limit: int = sys.maxsize) -> FileFacts:
    """The facts with what only the whole file tells: its rows, every key of JSONL.

    Raises UnreadableFile, and TooManyRows behind `limit` rows that can be used: memory grows by some 70 bytes
    a row here.
    """
    columns, seen = dict.fromkeys(facts.columns), set()
    rows = problems = 0
    for row in read_rows(chunks, facts):
        if isinstance(row, BadRow):
            problems += 1
            continue
        rows += 1
        if rows > limit:
            raise TooManyRows
        if facts.format == "jsonl":
            columns.update(dict.fromkeys(row.values))
            _check_width(len(columns))
            seen.add(hash(orjson.dumps(row.values)))
        else:
            seen.add(hash(tuple(row.values.values())))
    return replace(
        facts, columns=tuple(columns), rows=rows, problem_rows=problems, repeated_rows=rows - len(seen)
    )


def read_rows(chunks: Iterable[bytes], facts: FileFacts) -> Iterator[GoodRow | BadRow]:
    """The records of a file in order, good and bad. Blank lines are skipped."""
    lines = text_lines(chunks, facts.encoding)
    if facts.format == "jsonl":
        return _read_jsonl(lines)
    return _read_csv(lines, facts)


def _encoding(head: bytes) -> tuple[str, bool]:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding, True
    even, odd = head[0:4096:2].count(0), head[1:4096:2].count(0)
    if max(even, odd) > len(head[:4096]) // 8:
        return ("utf-16-le" if odd > even else "utf-16-be"), False
    try:
        # Not final: the cut may have gone through the last character.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "windows-1252", False
    return "utf-8", False


def _decoded(head: bytes, encoding: str, whole: bool) -> str:
    text = head.decode(encoding, "replace").removeprefix("\ufeff")
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise UnreadableFile(
            f"Line {line} holds a NUL character, so this is not a text file. Save it as CSV or JSONL."
        )
    return text if whole else text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text


def _sniff_csv(text: str, encoding: str, marked: bool, whole: bool) -> FileFacts:
    delimiter = max(DELIMITERS, key=lambda candidate: _consistency(text, candidate, whole))
    records = _records(text, delimiter, whole=whole)
    quoted = any("\n" in value or "\r" in value for record in records for value in record)
    facts = FileFacts("csv", encoding, marked, delimiter, True, (), quoted)
    return _with_columns(facts, records[0])


def _consistency(text: str, delimiter: str, whole: bool) -> tuple[float, int]:
    """How well a delimiter splits the first records: share of them as wide as most, then the width."""
    try:
        widths = Counter(len(record) for record in _records(text, delimiter, whole=whole))
    except UnreadableFile:
        return (0.0, 0)
    width, count = widths.most_common(1)[0]
    return (0.0, 1) if width < 2 else (count / widths.total(), width)


def _records(text: str, delimiter: str, *, whole: bool) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=False)
    records: list[list[str]] = []
    csv.field_size_limit(_PARSER_FIELD_LIMIT)
    try:
        records.extend(itertools.islice((record for record in reader if record), 200))
    except csv.Error as error:
        raise UnreadableFile(f"The file can't be read as CSV: {error}.") from None
    if not whole and len(records) > 1 and len(records) < 200:
        # The cut may have gone through the last record.
        records.pop()
    if not records:
        raise UnreadableFile("The file is empty.")
    return records


def _with_columns(facts: FileFacts, record: list[str]) -> FileFacts:
    _check_width(len(record))
    if not facts.has_header:
        names = tuple(f"column_{number}" for number in range(1, len(record) + 1))
        return replace(facts, columns=names, header=())
    return replace(facts, columns=_distinct(record), header=tuple(record))


def _check_width(width: int) -> None:
    if width > MAX_COLUMNS:
        raise UnreadableFile(f"The file has {width:,} columns; {MAX_COLUMNS} is the limit.")


def _distinct(record: list[str]) -> tuple[str, ...]:
    """The names of a first line, trimmed; an empty one becomes column_3, a repeated one gets a number."""
    taken = {name.strip() for name in record}
    names: dict[str, None] = {}
    for number, raw in enumerate(record, start=1):
        name = raw.strip() or f"column_{number}"
        if name in names or (not raw.strip() and name in taken):
            name = next(
                f"{name}_{n}" for n in itertools.count(2) if f"{name}_{n}" not in taken | names.keys()
            )
        names[name] = None
    return tuple(names)


def _json_columns(text: str, whole: bool) -> tuple[str, ...]:
    columns: dict[str, None] = {}
    rows = 0
    for row in itertools.islice(_read_jsonl(io.StringIO(text, newline="")), 200):
        if isinstance(row, GoodRow):
            rows += 1
            columns.update(dict.fromkeys(row.values))
    if not rows:
        raise UnreadableFile("No line of the file is a JSON object.")
    _check_width(len(columns))
    return tuple(columns)


def _read_jsonl(lines: Iterable[str]) -> Iterator[GoodRow | BadRow]:
    for number, line in enumerate(lines, start=1):
        stripped = line.strip("\ufeff \t\r\n")
        if not stripped:
            continue
        yield _json_row(number, stripped)


def _json_row(number: int, line: str) -> GoodRow | BadRow:
    if len(line) > MAX_FIELD_CHARACTERS:
        return BadRow(number, "the line is longer than 1 MiB", line[:1000])
    try:
        value = orjson.loads(line)
    except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
        return BadRow(number, f"not valid JSON: {error}", line[:1000])
    if not isinstance(value, dict):
        return BadRow(number, "not a JSON object", line[:1000])
    problem = _json_problem(line, value)
    return BadRow(number, problem, line[:1000]) if problem else GoodRow(number, value)


def _json_problem(line: str, value: dict[str, Any]) -> str | None:
    if "\x00" in line or _ESCAPED_NUL.search(line):
        return "it holds a NUL character"
    if text_problem(line):
        return text_problem(line)
    if is_too_deep(value):
        return f"it is nested deeper than {DEPTH_LIMIT} levels"
    if _holds_large_float(value) and _holds_large_integer(json.loads(line)):
        return "it holds a whole number beyond 64 bits, which would lose digits: write it as text"
    return None


def _holds_large_float(value: Any) -> bool:
    """Where the fast parser may have rounded a whole number; what it rounds is a float of that size."""
    if isinstance(value, float):
        return abs(value) >= _LARGEST_INTEGER
    if isinstance(value, dict):
        return any(map(_holds_large_float, value.values()))
    return isinstance(value, list) and any(map(_holds_large_float, value))


def _holds_large_integer(value: Any) -> bool:
    if isinstance(value, int):
        return not -_LARGEST_INTEGER <= value < 2 * _LARGEST_INTEGER
    if isinstance(value, dict):
        return any(map(_holds_large_integer, value.values()))
    return isinstance(value, list) and any(map(_holds_large_integer, value))


def _read_csv(lines: Iterator[str], facts: FileFacts) -> Iterator[GoodRow | BadRow]:
    recorder = LineRecorder(lines)
    reader = csv.reader(recorder, delimiter=facts.delimiter, strict=True)
    csv.field_size_limit(_PARSER_FIELD_LIMIT)
    header_pending = facts.has_header
    while True:
        recorder.start_record()
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRow(recorder.first_line, f"not valid CSV: {error}", recorder.raw)
            continue
        if not record:
            continue
        if header_pending:
            header_pending = False
            continue
        yield _csv_row(record, recorder, facts.columns)


def _csv_row(record: list[str], recorder: LineRecorder, columns: tuple[str, ...]) -> GoodRow | BadRow:
    line = recorder.first_line
    if len(record) != len(columns):
        noun = "column" if len(record) == 1 else "columns"
        return BadRow(line, f"{len(record)} {noun} instead of {len(columns)}", recorder.raw)
    for name, value in zip(columns, record, strict=True):
        if len(value) > MAX_FIELD_CHARACTERS:
            reason = f"column {name!r} holds {len(value):,} characters; {MAX_FIELD_CHARACTERS:,} is the limit"
            return BadRow(line, reason, recorder.raw)
    # All fields, not the raw text, which is cut.
    problem = text_problem("".join(record))
    if problem:
        return BadRow(line, problem, recorder.raw)
    return GoodRow(line, dict(zip(columns, record, strict=True)))


def text_problem(text: str) -> str | None:
    """Why a text can't be stored: bytes that are no characters of its encoding, or NUL."""
    found = _UNSTORABLE.search(text)
    if found is None:
        return None
    if found[0] == "\x00":
        return "it holds a NUL character"
    return "it holds bytes that are no text in this encoding"
