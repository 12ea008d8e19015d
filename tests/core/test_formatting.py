from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from apps.core import formatting

NOW = datetime(2026, 11, 20, 14, 2, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (None, "unknown"),
        (Decimal(0), "$0.00"),
        (Decimal("26.714"), "$26.71"),
        (Decimal("1234567.5"), "$1,234,567.50"),
        (Decimal("0.01"), "$0.01"),
        (Decimal("0.004405"), "$0.004405"),
        (Decimal("0.00424"), "$0.004240"),
        (Decimal("0.000000123456"), "$0.0000001235"),
        (Decimal("0.0099999"), "$0.01000"),
        (Decimal("-3.5"), "−$3.50"),
    ],
)
def test_format_money__amount__unit_and_four_digits_under_a_cent(amount: Decimal | None, words: str) -> None:
    assert formatting.format_money(amount) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [(None, "–"), (0, "0 %"), (0.634, "63 %"), (0.0391, "3.9 %"), (0.0042, "0.42 %"), (1, "100 %")],
)
def test_format_percent__share_of_one__as_percentage(share: float | None, words: str) -> None:
    assert formatting.format_percent(share) == words.replace(" ", formatting.NO_BREAK_SPACE)


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (None, "–"),
        (412, "412 ms"),
        (3420, "3.42 s"),
        (34_123, "34.1 s"),
        (720_000, "12 min"),
        (7_500_000, "2 h 5 min"),
    ],
)
def test_format_duration__milliseconds__readable(milliseconds: int | None, words: str) -> None:
    spaced = formatting.format_duration(milliseconds)
    assert spaced.replace(formatting.NO_BREAK_SPACE, " ") == words


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=2), "just now"),
        (timedelta(seconds=42), "42 s ago"),
        (timedelta(minutes=3), "3 min ago"),
        (timedelta(hours=5), "5 h ago"),
        (timedelta(hours=25), "yesterday"),
        (timedelta(days=4), "Mon 16 Nov"),
        (timedelta(days=49), "2 Oct"),
        (timedelta(days=400), "16 Oct 2025"),
        (timedelta(minutes=-3), "in 3 min"),
        (timedelta(days=-30), "20 Dec"),
    ],
)
def test_format_relative__distance__in_words(ago: timedelta, words: str) -> None:
    assert formatting.format_relative(NOW - ago, NOW).replace(formatting.NO_BREAK_SPACE, " ") == words


def test_format_moment__utc__exact_with_zone() -> None:
    assert formatting.format_moment(NOW) == "20 Nov 2026, 14:02:11 UTC"


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Mira Okafor", "MO"), ("jonas.weber@acme.example", "JW"), ("mira", "M"), ("", "?"), ("A B C", "AC")],
)
def test_initials__name_or_address__two_letters(name: str, letters: str) -> None:
    assert formatting.initials(name) == letters


@pytest.mark.parametrize(
    ("low", "high", "words"), [("1.2", "3.4", "$1.20 to $3.40"), ("0.0301", "0.0329", "about $0.03")]
)
def test_format_money_range__two_amounts__same_words_are_said_once(low: str, high: str, words: str) -> None:
    assert formatting.format_money_range(Decimal(low), Decimal(high)) == words


def test_format_money__more_than_anybody_has__is_shown_all_the_same() -> None:
    assert formatting.format_money(Decimal(10) ** 40).count(",000") == 13
