"""Patterns of models, which price rule holds, and that real model names have a list price."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from apps.providers.patterns import matches
from apps.providers.price_rules import PriceRule, rule_for
from apps.providers.pricing import price
from apps.providers.templatetags.prices import dollars
from apps.providers.types import Usage

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def rule(
    pattern: str,
    *,
    name: str = "prc_1",
    of_project: bool = False,
    prices: tuple[str, str, str | None] = ("1", "2", None),
    starts_at: datetime = NOW - DAY,
    ends_at: datetime | None = None,
) -> PriceRule:
    given, answered, cached = prices
    return PriceRule(
        name,
        pattern,
        of_project,
        Decimal(given),
        Decimal(answered),
        None if cached is None else Decimal(cached),
        starts_at,
        ends_at,
    )


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("openai/gpt-4o", "openai/gpt-4o", True),
        ("openai/gpt-4o", "openai/gpt-4o-mini", False),
        ("openai/gpt-4o*", "openai/gpt-4o-mini", True),
        ("*/llama-*-70b", "local/llama-3-70b", True),
        ("*/llama-*-70b", "local/llama-70b", False),
        ("*", "anything/at-all", True),
        ("a*a", "a", False),
        ("a*b*c", "a-c-b", False),
    ],
)
def test_matches__pattern__star_is_any_text(pattern: str, name: str, fits: bool) -> None:
    assert matches(pattern, name) is fits


def test_rule_for__several__project_then_exactness_then_age_decide() -> None:
    shared = rule("local/m", name="shared")
    wide = rule("local/*", name="wide", of_project=True)
    near = rule("local/m*", name="near", of_project=True)
    young = rule("local/m*", name="young", of_project=True, starts_at=NOW - DAY / 2)
    rules = [shared, wide, near, young]
    found = [rule_for(rules[:count], "local/m", NOW) for count in range(1, 5)]
    assert [each.id for each in found if each] == ["shared", "wide", "near", "young"]


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "holds"),
    [
        (NOW, None, True),
        (NOW + DAY, None, False),
        (NOW - DAY, NOW, False),
        (NOW - DAY, NOW + DAY, True),
    ],
)
def test_rule_for__its_time__counts_from_the_start_up_to_the_end(
    starts_at: datetime, ends_at: datetime | None, holds: bool
) -> None:
    found = rule_for([rule("local/m", starts_at=starts_at, ends_at=ends_at)], "local/m", NOW)
    assert (found is not None) is holds


def test_price__own_price__stands_before_the_list_and_names_itself() -> None:
    usage = Usage(1_000_000, 1_000_000, 400_000)
    own = rule("openai/gpt-4o", prices=("2", "8", "0.5"))
    found = price("https://api.openai.com/v1", "gpt-4o", usage, NOW, own)
    assert (found.status, found.amount) == ("priced", Decimal("9.4"))
    assert (found.snapshot["source"], found.snapshot["price_id"]) == ("own price", "prc_1")


def test_price__own_price_without_reported_tokens__is_unknown() -> None:
    assert price("https://a.example", "m", Usage(None, 5), NOW, rule("*")).amount is None


def test_price__own_price_of_nothing__is_free_not_unknown() -> None:
    found = price("https://a.example", "m", Usage(5, 5), NOW, rule("*", prices=("0", "0", None)))
    assert (found.status, found.amount) == ("free", Decimal(0))


@pytest.mark.parametrize(
    ("listed", "shown"),
    [("3", "$3.00"), ("0.3", "$0.30"), ("0.075", "$0.075"), ("3 and tiers", "from $3.00"), ("none", "none")],
)
def test_dollars__listed_price__reads_as_money(listed: str, shown: str) -> None:
    assert dollars(listed) == shown


OPENAI, ANTHROPIC = "https://api.openai.com/v1", "https://api.anthropic.com"
GOOGLE = "https://generativelanguage.googleapis.com/v1beta/openai"
MISTRAL = "https://api.mistral.ai/v1"


@pytest.mark.parametrize(
    ("address", "model"),
    [
        (OPENAI, "gpt-4o"),
        (OPENAI, "gpt-4o-mini"),
        (OPENAI, "gpt-4o-2024-08-06"),
        (OPENAI, "gpt-4.1"),
        (OPENAI, "gpt-4.1-mini"),
        (OPENAI, "gpt-5"),
        (OPENAI, "gpt-5-mini"),
        (OPENAI, "o3"),
        (OPENAI, "o4-mini"),
        (ANTHROPIC, "claude-sonnet-4-5"),
        (ANTHROPIC, "claude-sonnet-4-5-20250929"),
        (ANTHROPIC, "claude-haiku-4-5"),
        (ANTHROPIC, "claude-opus-4-1"),
        (ANTHROPIC, "claude-3-5-haiku-20241022"),
        (GOOGLE, "gemini-2.5-pro"),
        (GOOGLE, "gemini-2.5-flash"),
        (GOOGLE, "gemini-2.0-flash"),
        (MISTRAL, "mistral-large-latest"),
        (MISTRAL, "mistral-small-latest"),
        (MISTRAL, "codestral-latest"),
    ],
)
def test_price__model_of_a_known_vendor__has_a_list_price(address: str, model: str) -> None:
    found = price(address, model, Usage(1_000_000, 1_000_000), NOW)
    assert found.status == "priced"
    assert found.amount is not None
    assert found.amount > 0
