"""What figures are measured in, how they are written, and the round steps of an axis."""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from math import ceil, floor, log10
from typing import Final

from apps.core import formatting

Number = int | float | Decimal

_SPACE: Final = formatting.NO_BREAK_SPACE
# Three steps of one of these reach the top of an axis; a count has no step below one.
_ROUND: Final = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_ROUND_COUNTS: Final = (1.0, 2.0, 3.0, 4.0, 5.0, 10.0)
# Seconds and minutes are not counted in tens.
_MINUTE: Final = 60_000.0


class Unit(StrEnum):
    """What a figure is measured in; `DURATION` is in ms, `SHARE` from 0 to 1, `MONEY` in US dollars, `RATE`
    in things a second."""

    COUNT = "count"
    MONEY = "money"
    DURATION = "duration"
    SHARE = "share"
    SCORE = "score"
    RATE = "rate"

    @property
    def adds_up(self) -> bool:
        """Whether figures of several periods make one figure by adding."""
        return self in {Unit.COUNT, Unit.MONEY}

    @property
    def suffix(self) -> str:
        """What a file's column head says after its name."""
        suffixes = {Unit.MONEY: " (USD)", Unit.DURATION: " (ms)", Unit.SHARE: " (share)", Unit.RATE: " (1/s)"}
        return suffixes.get(self, "")

    def write(self, value: Number) -> str:
        """The exact figure in words of the dashboard: `$1.20`, `2.84 s`, `0.29 %`."""
        match self:
            case Unit.MONEY:
                return formatting.format_money(Decimal(str(value)))
            case Unit.DURATION:
                return formatting.format_duration(float(value))
            case Unit.SHARE:
                return formatting.format_percent(float(value))
            case Unit.SCORE | Unit.RATE:
                return f"{float(value):.2f}" if self is Unit.SCORE else _rate(float(value))
        return formatting.format_number(round(value))

    def write_short(self, value: float) -> str:
        """The figure beside an axis: `150k`, `$40`, `6 s`, `0.9 %`."""
        match self:
            case Unit.MONEY:
                return f"${value:.2f}" if _is_cents(value) else f"${_short(value)}"
            case Unit.DURATION:
                return _short_duration(value)
            case Unit.SHARE:
                return f"{_plain(value * 100)}{_SPACE}%" if value else "0"
        return _short(value)


def steps_to(top: float, unit: Unit, lines: int = 3) -> Sequence[float]:
    """Round values from zero up, `lines` of them above it, the last at or over `top`; scores are 1 to 5."""
    if unit is Unit.SCORE:
        return [1.0, 2.0, 3.0, 4.0, 5.0]
    if top <= 0:
        top = 1.0 if unit in {Unit.COUNT, Unit.SCORE} else 0.03 if unit is Unit.SHARE else 3.0
    least = top / lines
    if unit is Unit.COUNT:
        least = max(1.0, least)
    scale = _MINUTE if unit is Unit.DURATION and least > _MINUTE / 2 else 1.0
    step = _round_up(least / scale, _ROUND_COUNTS if unit is Unit.COUNT else _ROUND) * scale
    if unit is Unit.SHARE and step * lines > 1 >= top:
        # A share ends at the whole.
        return [0.0, 0.25, 0.5, 0.75, 1.0]
    return [step * count for count in range(lines + 1)]


def _round_up(value: float, round_numbers: Sequence[float]) -> float:
    power = 10.0 ** floor(log10(value))
    # A hair of slack: 0.3 / 0.1 is a little less than 3.
    found = next((each for each in round_numbers if each * power >= value * (1 - 1e-9)), 10.0)
    return found * power


def _is_cents(value: float) -> bool:
    """Whether an amount under ten dollars is whole cents and no whole dollars; floats are a hair off."""
    dollars, cents = abs(round(value) - value), abs(round(value, 2) - value)
    return 0.01 <= value < 10 and cents < 1e-9 < dollars


def _rate(value: float) -> str:
    digits = 1 if value < 100 else 0
    return f"{value:,.{digits}f}{_SPACE}/s"


def _plain(value: float) -> str:
    digits = 0 if value == 0 else max(0, 1 - floor(log10(abs(value))))
    return f"{value:,.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:,.0f}"


def _short(value: float) -> str:
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{_plain(value / size)}{letter}"
    return _plain(value)


def _short_duration(milliseconds: float) -> str:
    if milliseconds == 0:
        return "0"
    if milliseconds < 1000:
        return f"{_plain(milliseconds)}{_SPACE}ms"
    if milliseconds < _MINUTE:
        return f"{_plain(milliseconds / 1000)}{_SPACE}s"
    return f"{_plain(milliseconds / _MINUTE)}{_SPACE}min"


def every(count: int, most: int) -> int:
    """Name every n-th of `count` things, so that at most `most` are named."""
    return max(1, ceil(count / most))
