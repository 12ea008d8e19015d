"""Numbers, money and time in the words of the dashboard. Pure functions, no Django."""

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
UNKNOWN = "unknown"
ONE_CENT = Decimal("0.01")
# As many digits as anybody may type: an amount too long to be true is shown, and breaks no page.
ANY_AMOUNT = Context(prec=5_000, rounding=ROUND_HALF_UP)
SMALL_AMOUNT = Context(prec=4, rounding=ROUND_HALF_UP)


def format_number(value: int | float | Decimal | None) -> str:
    """Return `value` with thousands separators, or a dash for None."""
    return "–" if value is None else f"{value:,}"


def format_money(amount: Decimal | None) -> str:
    """Return US dollars; under one cent with 4 significant digits, None as "unknown"."""
    if amount is None:
        return UNKNOWN
    sign = "−" if amount < 0 else ""
    size = abs(amount)
    if size == 0 or size >= ONE_CENT:
        return f"{sign}${size.quantize(ONE_CENT, context=ANY_AMOUNT):,}"
    exact = SMALL_AMOUNT.plus(size)
    places = 3 - exact.adjusted()
    return f"{sign}${exact:.{places}f}"


def format_money_range(low: Decimal, high: Decimal) -> str:
    """Return "$1.20 to $3.40", or "about $1.20" where both read the same."""
    low_words, high_words = format_money(low), format_money(high)
    return f"about {low_words}" if low_words == high_words else f"{low_words} to {high_words}"


def format_percent(share: float | None) -> str:
    """Return a share of one as a percentage: 0.634 is "63 %", 0.0042 is "0.42 %"."""
    if share is None:
        return "–"
    percent = share * 100
    digits = 0 if percent >= 10 or percent == 0 else 1 if percent >= 1 else 2
    return f"{percent:.{digits}f}{NO_BREAK_SPACE}%"


def format_duration(milliseconds: int | float | None) -> str:
    """Return a length of time given in milliseconds: "412 ms", "3.42 s", "12 min", "2 h 5 min"."""
    if milliseconds is None:
        return "–"
    if milliseconds < 1000:
        return f"{milliseconds:.0f}{NO_BREAK_SPACE}ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.2f}{NO_BREAK_SPACE}s" if seconds < 10 else f"{seconds:.1f}{NO_BREAK_SPACE}s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes}{NO_BREAK_SPACE}min"
    return f"{minutes // 60}{NO_BREAK_SPACE}h {minutes % 60}{NO_BREAK_SPACE}min"


def format_moment(moment: datetime) -> str:
    """Return the exact time with its zone: "20 Nov 2026, 14:02:11 CET"."""
    zone = moment.tzname() or ""
    return f"{moment.day} {moment:%b %Y, %H:%M:%S} {zone}".rstrip()


def format_relative(moment: datetime, now: datetime) -> str:
    """Return how long ago `moment` was. Both must be in the reader's zone, because days are counted in it."""
    distance = now - moment
    if distance < timedelta(0):
        return _format_ahead(moment, now)
    seconds = int(distance.total_seconds())
    if seconds < 5:
        return "just now"
    if seconds < 86_400:
        return f"{_short_distance(seconds)} ago"
    return _format_day(moment, now)


def _format_ahead(moment: datetime, now: datetime) -> str:
    seconds = int((moment - now).total_seconds())
    return f"in {_short_distance(seconds)}" if seconds < 86_400 else _format_day(moment, now)


def _short_distance(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds}{NO_BREAK_SPACE}s"
    if seconds < 3600:
        return f"{seconds // 60}{NO_BREAK_SPACE}min"
    return f"{seconds // 3600}{NO_BREAK_SPACE}h"


def _format_day(moment: datetime, now: datetime) -> str:
    days = (now.date() - moment.date()).days
    if days == 1:
        return "yesterday"
    if 1 < days < 7:
        return f"{moment:%a} {moment.day} {moment:%b}"
    year = f" {moment.year}" if moment.year != now.year else ""
    return f"{moment.day} {moment:%b}{year}"


def initials(name: str) -> str:
    """Return up to two capital letters for an avatar; an e-mail address counts as its first part."""
    words = name.split("@")[0].replace(".", " ").replace("-", " ").replace("_", " ").split()
    letters = [words[0], words[-1]] if len(words) > 1 else words
    return "".join(word[0] for word in letters).upper() or "?"
