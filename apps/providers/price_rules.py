"""An organization's own prices, as plain data: which of them holds for a model at a moment."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from apps.providers.patterns import exactness, matches


@dataclass(frozen=True, slots=True)
class PriceRule:
    """US dollars for a million tokens of the models that `pattern` names, from `starts_at` to `ends_at`."""

    id: str
    pattern: str
    of_project: bool
    input_price: Decimal
    output_price: Decimal
    cached_input_price: Decimal | None
    starts_at: datetime
    ends_at: datetime | None

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
    found = [rule for rule in rules if rule.holds_at(at) and matches(rule.pattern, reference)]
    return max(
        found, key=lambda rule: (rule.of_project, exactness(rule.pattern), rule.starts_at), default=None
    )
