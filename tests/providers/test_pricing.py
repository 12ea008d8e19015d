"""Prices: unknown, free, zero and made up are four different things."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import genai_prices
import pytest

from apps.providers.pricing import price
from apps.providers.tokens import count, count_messages
from apps.providers.types import Usage

NOW = datetime(2026, 11, 21, tzinfo=UTC)
OPENAI = "https://api.openai.com/v1"


def test_price__model_on_the_list__is_exact_and_says_where_it_is_from() -> None:
    found = price(OPENAI, "gpt-4o", Usage(1_000_000, 100_000, 0), NOW)
    assert (found.status, found.amount) == ("priced", Decimal("3.5"))
    assert found.snapshot["price_id"] == "openai/gpt-4o"
    assert found.snapshot["usd_per_million_tokens"] == {"input": "2.5", "output": "10", "cache_read": "1.25"}


def test_price__cached_input__costs_less() -> None:
    cached = price(OPENAI, "gpt-4o", Usage(1_000_000, 0, 1_000_000), NOW)
    assert cached.amount == Decimal("1.25")


@pytest.mark.parametrize(
    ("address", "model", "usage"),
    [
        (OPENAI, "no-such-model", Usage(1, 1)),
        ("http://localhost:11434/v1", "gpt-4o", Usage(1, 1)),
        (OPENAI, "gpt-4o", Usage(None, 5)),
    ],
    ids=["model", "address", "usage"],
)
def test_price__something_not_known__is_unknown_and_not_zero(address: str, model: str, usage: Usage) -> None:
    found = price(address, model, usage, NOW)
    assert (found.status, found.amount) == ("unknown", None)


def test_price__no_tokens_on_a_priced_model__is_zero_but_not_free() -> None:
    assert price(OPENAI, "gpt-4o", Usage(0, 0), NOW).status == "priced"


def test_price__free_model__is_free() -> None:
    found = price("https://openrouter.ai/api/v1", "deepseek/deepseek-r1:free", Usage(10, 10), NOW)
    assert (found.status, found.amount) == ("free", Decimal(0))


def test_price__sandbox__is_made_up_and_marked() -> None:
    found = price("sandbox", "standard", Usage(1_000_000, 1_000_000), NOW)
    assert (found.status, found.amount) == ("sandbox", Decimal("2.00"))
    assert price("sandbox", "other", Usage(1, 1), NOW).status == "unknown"


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 0, 0),
        ("The quick brown fox jumps over the lazy dog.", 9, 12),
        ("internationalization", 2, 5),
        ("1234567890", 3, 5),
        ("你好世界", 3, 8),
        ('{"a": 1, "b": [true, false]}', 8, 20),
    ],
)
def test_count__text__is_about_right(text: str, least: int, most: int) -> None:
    assert least <= count(text, "gpt-4o") <= most


def test_count_messages__chat__adds_what_the_format_adds() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "hello"},
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
    ]
    assert count_messages(messages, "gpt-4o") == 2 + 2 * 4 + 3


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("https://api.openai.com/v1", "gpt-4o-mini"),
        ("https://api.openai.com/v1", "gpt-4.1"),
        ("https://api.anthropic.com", "claude-sonnet-4-0"),
        ("https://api.anthropic.com", "claude-3-5-haiku-latest"),
        ("https://openrouter.ai/api/v1", "openai/gpt-4o"),
    ],
)
@pytest.mark.parametrize(
    "usage", [Usage(23, 19, 0), Usage(250_000, 7, 100_000, 50_000), Usage(0, 0), Usage(5, 3, 5)]
)
def test_price__by_remembered_rates__is_what_the_list_calculates(kind: str, model: str, usage: Usage) -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    counted = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens or None,
        cache_write_tokens=usage.cache_write_tokens or None,
    )
    listed = genai_prices.calc_price(counted, model, provider_api_url=kind, genai_request_timestamp=at)
    found = price(kind, model, usage, at)
    assert (found.status, found.amount) == ("priced", listed.total_price)
    assert found.snapshot["at"] == at.isoformat()
