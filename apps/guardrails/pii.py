"""Finding personal data: a pattern proposes, a check of the value's own rules decides. Pure.

Everything runs on folded bytes, so full-width digits and invisible characters hide nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Any, Final

from apps.guardrails.expressions import folded_pattern
from apps.guardrails.folding import Folded
from apps.guardrails.rules import PiiType
from apps.guardrails.secrets import find_secrets

MOST_FOUND: Final = 10_000
"""Most values of a type in one scan; what comes after the last one is not told apart any more."""


@dataclass(frozen=True, slots=True)
class Found:
    """A value from byte `start` to `end` of the folded text; `signal` says which form it has."""

    type: PiiType
    start: int
    end: int
    signal: str = ""


Finder = Callable[[bytes], Iterator[Found]]


def find(
    folded: Folded, text: str, types: tuple[PiiType, ...], *, numbers: bool, secrets: bool
) -> list[Found]:
    """Every value of the types, in their order; what lies inside a secret is only the secret.

    `numbers` and `secrets` are whether their patterns are there.
    """
    found: list[Found] = []
    for kind in types:
        if (kind in NUMERIC and not numbers) or (kind == "secrets" and not secrets):
            continue
        if kind == "secrets":
            keys = find_secrets(folded, text)
            found.extend(Found("secrets", start, end, signal) for start, end, signal in keys)
        else:
            found.extend(_FINDERS[kind](folded.data))
    if len(found) < 2:
        return found
    return _without_inner(sorted(found, key=lambda one: (one.start, -one.end)))


def _without_inner(found: list[Found]) -> list[Found]:
    kept: list[Found] = []
    for one in found:
        if kept and one.end <= kept[-1].end:
            continue
        kept.append(one)
    return kept


# E-mail addresses

_EMAIL: Final = folded_pattern(r"[a-z0-9][a-z0-9._%+'\-]*@(?:[a-z0-9\x81\-]+\.)+[a-z\x81]{2,24}")


def _emails(data: bytes) -> Iterator[Found]:
    if b"@" not in data:
        return
    for start, end in _spans(_EMAIL, data):
        local, _, domain = data[start:end].partition(b"@")
        if len(local) > 64 or b".." in local or local.endswith(b"."):
            continue
        if len(domain) > 253 or _is_word(data, end):
            continue
        if all(0 < len(label) < 64 and label[0] != _DASH != label[-1] for label in domain.split(b".")):
            yield Found("email", start, end)


# Phone numbers: E.164, and how they are written in Germany, Spain, the United States and Britain

_PHONE: Final = folded_pattern(
    r"\+[1-9](?:[ ./\-]{0,2}\(?[0-9]\)?){6,14}"
    r"|\b00[1-9](?:[ ./\-]{0,2}\(?[0-9]\)?){8,14}"
    r"|\(?\b0[1-9][0-9]{1,4}\)?[ /\-]{1,3}[0-9]{2,8}(?:[ \-][0-9]{2,5}){0,4}\b"
    r"|\b0(?:1[567][0-9]{8,9}|7[0-9]{9})\b"
    r"|\b[6-9][0-9]{2}(?:[ \-][0-9]{3}[ \-][0-9]{3}|(?:[ \-][0-9]{2}){3})\b"
    r"|\b9[0-9][ \-][0-9]{3}(?:[ \-][0-9]{2}){2}\b"
    r"|(?:\b1[ .\-])?(?:\([2-9][0-9]{2}\)[ \-]?|\b[2-9][0-9]{2}[ .\-])[2-9][0-9]{2}[ .\-][0-9]{4}\b"
    r"|\b(?:tel|phone|mobil|movil|handy|fax|rufnummer|whatsapp)[a-z]{0,8}[.:#]{0,2} {0,2}"
    r"(?:(?:nr|no|number|nummer|is|ist|es)[.:]? {0,2})?\(?[0-9][0-9 ()/\-]{5,18}[0-9]\b"
)


def _phones(data: bytes) -> Iterator[Found]:
    for start, end in _spans(_PHONE, data):
        if data[start] in _LOWER:
            # After a word such as "phone:".
            start = next(place for place in range(start, end) if data[place] not in _LOWER)
            start = next(place for place in range(start, end) if data[place] not in b".:# ")
        digits = sum(character in _DIGITS for character in data[start:end])
        if 7 <= digits <= 17 and (digits >= 9 or data[start] not in b"0(") and not _goes_on(data, start, end):
            yield Found("phone", start, end)


# Payment cards

_CARD: Final = folded_pattern(r"[2-6][0-9](?:[ \-]?[0-9]){11,20}")
_CARD_GROUPS: Final = frozenset({(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3)})


def _cards(data: bytes) -> Iterator[Found]:
    for start, end in _spans(_CARD, data):
        if start and data[start - 1] in _DIGITS:
            continue
        while end < len(data) and data[end] in _DIGITS:
            end += 1
        groups = list(_groups(data, start, end))
        for first in range(len(groups)):
            last = _card_end(data, groups, first)
            if last is not None and not _goes_on(data, groups[first][0], last):
                yield Found("card", groups[first][0], last)
                break


def _card_end(data: bytes, groups: list[tuple[int, int]], first: int) -> int | None:
    for last in range(len(groups), first, -1):
        sizes = tuple(end - start for start, end in groups[first:last])
        number = b"".join(data[start:end] for start, end in groups[first:last])
        if (len(sizes) == 1 or sizes in _CARD_GROUPS) and _is_card(number):
            return groups[last - 1][1]
    return None


def _groups(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    begin = start
    for place in range(start, end + 1):
        if place == end or data[place] not in _DIGITS:
            if place > begin:
                yield begin, place
            begin = place + 1


def _is_card(number: bytes) -> bool:
    size, two, four = len(number), int(number[:2]), int(number[:4])
    known = (
        (number[:1] == b"4" and size in (13, 16, 19))
        or (size == 16 and (51 <= two <= 55 or 2221 <= four <= 2720))
        or (size == 15 and two in (34, 37))
        or (size == 16 and (four == 6011 or two == 65 or 6440 <= four <= 6499 or two == 35))
        or (size == 14 and (two in (36, 38, 39) or 3000 <= four <= 3059))
        or (16 <= size <= 19 and two == 62)
    )
    return known and _passes_luhn(number)


def _passes_luhn(number: bytes) -> bool:
    total = 0
    for place, character in enumerate(reversed(number)):
        digit = character - 48
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


# IBAN

_IBAN: Final = folded_pattern(r"\b[a-z]{2}[0-9]{2}(?:[ \-]?[a-z0-9]){11,30}")
# Country and length.
_IBAN_LENGTHS: Final = """
    ad24 ae23 al28 at20 az28 ba20 be16 bg22 bh22 br29 by28 ch21 cr22 cy28 cz24 de22 dk18 do28 ee20
    eg29 es24 fi18 fo18 fr27 gb22 ge22 gi23 gl18 gr27 gt28 hr21 hu28 ie22 il23 iq23 is26 it27 jo30
    kw30 kz20 lb28 lc32 li21 lt20 lu20 lv21 mc27 md24 me22 mk19 mr27 mt31 mu30 nl18 no15 pk24 pl28
    ps29 pt25 qa29 ro24 rs22 sa24 sc31 se24 si19 sk24 sm27 st25 sv28 tl23 tn24 tr26 ua29 va22 vg24
    xk20
"""
_IBAN_SIZES: Final = {each[:2]: int(each[2:]) for each in _IBAN_LENGTHS.split()}


def _ibans(data: bytes) -> Iterator[Found]:
    for start, end in _spans(_IBAN, data):
        size = _IBAN_SIZES.get(data[start : start + 2].decode())
        places = [place for place in range(start, end) if data[place] in _ALPHANUMERIC]
        if size is None or len(places) < size or _is_word(data, places[size - 1] + 1):
            continue
        if _passes_mod_97(bytes(data[place] for place in places[:size])):
            yield Found("iban", start, places[size - 1] + 1)


def _passes_mod_97(value: bytes) -> bool:
    moved = (value[4:] + value[:4]).decode()
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


# Addresses of networks

_IP4: Final = folded_pattern(r"\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b")
_IP6: Final = folded_pattern(r"[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,8}(?:\.[0-9]{1,3}){0,3}")
_NUMBERING: Final = (b"version", b"section", b"kapitel", b"abschnitt", b"seccion", b"chapter", b"release")


def _addresses(data: bytes) -> Iterator[Found]:
    taken = -1
    if data.count(b":") > 1:
        for start, end in _spans(_IP6, data):
            while end > start and data[end - 1] == _COLON and data[end - 2] != _COLON:
                end -= 1
            if _is_ip6(data, start, end):
                taken = end
                yield Found("ip", start, end)
    if data.count(b".") > 2:
        for start, end in _spans(_IP4, data):
            if end > taken and _is_ip4(data, start, end):
                yield Found("ip", start, end)


def _is_ip6(data: bytes, start: int, end: int) -> bool:
    value = data[start:end]
    if (b"::" not in value and value.count(b":") < 6) or not any(letter in _DIGITS for letter in value):
        return False
    if _is_word(data, start - 1) or _is_word(data, end) or (start and data[start - 1] == _COLON):
        return False
    try:
        IPv6Address(value.decode())
    except AddressValueError:
        return False
    return True


def _is_ip4(data: bytes, start: int, end: int) -> bool:
    parts = data[start:end].split(b".")
    if any(int(part) > 255 or (len(part) > 1 and part[0] == _ZERO) for part in parts):
        return False
    if data[max(0, start - 12) : start].rstrip(b" .:").endswith(_NUMBERING):
        return False
    return not _goes_on(data, start, end)


# Social security numbers of the United States

_SSN: Final = folded_pattern(
    r"\b[0-9]{3}(?:-[0-9]{2}-| [0-9]{2} )[0-9]{4}\b"
    r"|\b(?:ssn|social security)(?: number| no\.?)?[:#]? {0,2}[0-9]{9}\b"
)


def _ssns(data: bytes) -> Iterator[Found]:
    for start, end in _spans(_SSN, data):
        while data[start] not in _DIGITS:
            start += 1
        value = bytes(character for character in data[start:end] if character in _DIGITS)
        area, group, serial = value[:3], value[3:5], value[5:]
        right = area not in (b"000", b"666") and area < b"900" and group != b"00" and serial != b"0000"
        if right and not _goes_on(data, start, end):
            yield Found("us_ssn", start, end)


NUMBERS_PATTERN: Final = (
    r"[0-9](?:[ ()./\-]{0,3}[0-9]){6}|[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]"
    r"|:[0-9a-f]{0,4}:|[a-z]{2}[0-9]{2}[ \-]?[a-z0-9]{4}"
)
"""Tells whether there is a number worth another look: seven digits near each other, or an address."""
NUMERIC: Final[frozenset[PiiType]] = frozenset({"phone", "card", "iban", "ip", "us_ssn"})
"""The types that are only looked for where there is such a number."""
_DIGITS: Final = frozenset(b"0123456789")
_LOWER: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz")
_ALPHANUMERIC: Final = _DIGITS | _LOWER
_DASH: Final = ord("-")
_COLON: Final = ord(":")
_ZERO: Final = ord("0")
_FINDERS: Final[dict[PiiType, Finder]] = {
    "email": _emails,
    "phone": _phones,
    "card": _cards,
    "iban": _ibans,
    "ip": _addresses,
    "us_ssn": _ssns,
}


def _spans(pattern: Any, data: bytes) -> Iterator[tuple[int, int]]:
    for _, match in zip(range(MOST_FOUND), pattern.finditer(data), strict=False):
        yield match.span()


def _is_word(data: bytes, place: int) -> bool:
    return 0 <= place < len(data) and (data[place] in _ALPHANUMERIC or data[place] == ord("_"))


def _goes_on(data: bytes, start: int, end: int) -> bool:
    """Whether a number is a part of something longer: 1.2.3.4.5, 123-45-6789-0, 0.4111…"""
    before, after = data[max(0, start - 2) : start], data[end : end + 2]
    if before[-1:].isdigit() or before[-1:].isalpha() or after[:1].isdigit() or after[:1].isalpha():
        return True
    joined = b".-:/,_"
    if before[-1:] in (b".", b"-", b":", b"/", b",", b"_") and before[:1].isdigit():
        return True
    return len(after) == 2 and after[0] in joined[:4] and after[1:].isdigit()
