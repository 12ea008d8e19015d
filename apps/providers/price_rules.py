"""An organization's own prices, as plain data: which of them holds for a model at a moment."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from apps.providers.patterns import exactness, matches

OWN: Final = "own price"


@dataclass(frozen=True, slots=True)
class PriceRule:
    """US dollars for a million tokens of the models that `pattern` names, from `starts_at` to `ends_at`.

    `batch_discount` is the percent by which the provider's batch endpoint is cheaper; None: as published.
    """

    id: str
    pattern: str
    of_project: bool
    input_price: Decimal
    output_price: Decimal
    cached_input_price: Decimal | None
    starts_at: datetime
    ends_at: datetime | None
    batch_discount: Decimal | None = None
    snapshot: dict[str, Any] = field(init=False, compare=False, repr=False)
    """What a run keeps of it beside the moment, made once for all the runs that it prices."""

    def __post_init__(self) -> None:
        listed = {
            "input": self.input_price,
            "output": self.output_price,
            "cache_read": self.cached_input_price,
        }
        snapshot = {
            "source": OWN,
            "price_id": self.id,
            "pattern": self.pattern,
            "usd_per_million_tokens": {
                name: plain_amount(each) for name, each in listed.items() if each is not None
            },
        }
        object.__setattr__(self, "snapshot", snapshot)

    def holds_at(self, at: datetime) -> bool:
        """Whether it holds at a moment."""
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)

    @property
    def is_free(self) -> bool:
        """Whether it prices everything at nothing."""
        return not (self.input_price or self.output_price or self.cached_input_price)


def rule_for(rules: Iterable[PriceRule], reference: str, at: datetime) -> PriceRule | None:
    """The rule that prices a model, `<connection>/<model id>`, at a moment; None where the list's does.

    The project's own stands before one of every project, then the one that names the model most closely,
    then the younger.
    """
    return held_at(rules_for(rules, reference), at)


def rules_for(rules: Iterable[PriceRule], reference: str) -> tuple[PriceRule, ...]:
    """The rules of a model at any moment, the one that stands before the others first."""
    found = [rule for rule in rules if matches(rule.pattern, reference)]
    found.sort(key=lambda rule: (rule.of_project, exactness(rule.pattern), rule.starts_at), reverse=True)
    return tuple(found)


def held_at(rules: Iterable[PriceRule], at: datetime) -> PriceRule | None:
    """The first of them that holds at a moment."""
    for rule in rules:
        if rule.holds_at(at):
            return rule
    return None


def plain_amount(amount: Decimal) -> str:
    """An amount without zeros at its end, as in 2.5."""
    return f"{amount.normalize():f}"
