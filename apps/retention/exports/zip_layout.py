"""The bytes of a ZIP archive (APPNOTE 6.3) whose entries are made one by one, long before the whole. Pure.

`zipfile` writes an archive from its beginning to its end in one process. Here every entry is made on its own
and stored; the directory behind the last one is made when the archive is fetched: sizes are all it needs.
An entry is smaller than 4 GiB, the archive may be of any size and have any number of entries (ZIP64).
"""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

LEVEL: Final = 6
DEFLATED: Final = 8
UTF8_NAMES: Final = 1 << 11
VERSION: Final = 20
VERSION_64: Final = 45
MADE_ON_UNIX: Final = 3 << 8
# Owner may read and write, everybody may read.
PERMISSIONS: Final = 0o100644 << 16
MOST_32: Final = 0xFFFFFFFF
MOST_16: Final = 0xFFFF

_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<4sHHHHIIH")
_END_64: Final = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR_64: Final = struct.Struct("<4sIQI")


@dataclass(frozen=True, slots=True)
class Entry:
    """What the directory says of an entry; sizes in bytes, `length` with its own header."""

    name: str
    size: int
    compressed_size: int
    crc32: int
    length: int


def make_entry(name: str, content: bytes, at: datetime) -> tuple[Entry, bytes]:
    """An entry and its bytes as they stand in the archive."""
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = compressor.compress(content) + compressor.flush()
    told = name.encode()
    checksum = zlib.crc32(content)
    header = _LOCAL.pack(
        b"PK\x03\x04",
        VERSION,
        UTF8_NAMES,
        DEFLATED,
        *_dos_time(at),
        checksum,
        len(packed),
        len(content),
        len(told),
        0,
    )
    whole = header + told + packed
    return Entry(name, len(content), len(packed), checksum, len(whole)), whole


def make_directory(entries: Iterable[Entry], at: datetime) -> bytes:
    """What follows the last entry, for entries that stand one behind the other from the beginning."""
    lines, offset, count = bytearray(), 0, 0
    for entry in entries:
        lines += _line(entry, offset, at)
        offset += entry.length
        count += 1
    return bytes(lines) + _ending(count, len(lines), offset)


def _line(entry: Entry, offset: int, at: datetime) -> bytes:
    name = entry.name.encode()
    far = offset >= MOST_32
    extra = struct.pack("<HHQ", 1, 8, offset) if far else b""
    return (
        _CENTRAL.pack(
            b"PK\x01\x02",
            MADE_ON_UNIX | VERSION_64,
            VERSION_64 if far else VERSION,
            UTF8_NAMES,
            DEFLATED,
            *_dos_time(at),
            entry.crc32,
            entry.compressed_size,
            entry.size,
            len(name),
            len(extra),
            0,
            0,
            0,
            PERMISSIONS,
            MOST_32 if far else offset,
        )
        + name
        + extra
    )


def _ending(count: int, size: int, offset: int) -> bytes:
    ending = b""
    if count >= MOST_16 or offset >= MOST_32 or size >= MOST_32:
        ending += _END_64.pack(b"PK\x06\x06", 44, VERSION_64, VERSION_64, 0, 0, count, count, size, offset)
        ending += _LOCATOR_64.pack(b"PK\x06\x07", 0, offset + size, 1)
    shown = min(count, MOST_16)
    return ending + _END.pack(b"PK\x05\x06", 0, 0, shown, shown, min(size, MOST_32), min(offset, MOST_32), 0)


def _dos_time(at: datetime) -> tuple[int, int]:
    """Time and date as DOS counted them: from 1980, in steps of two seconds."""
    date = (at.year - 1980) << 9 | at.month << 5 | at.day
    return at.hour << 11 | at.minute << 5 | at.second // 2, date
