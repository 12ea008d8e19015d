"""What a row can cost at most, with retries, fallbacks and repairs."""

from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import pytest

from apps.batches.capping import Costing, RowCosting
from apps.batches.claims import Row
from apps.batches.estimating import Model
from apps.batches.work import RowWork
from apps.prompts.serving import CallRules, ServingRules
from apps.prompts.types import ResolvedPrompt

CHEAP = Model("sandbox/fast", "sandbox", "fast", sandbox=True)
DEAR = Model("sandbox/standard", "sandbox", "standard", sandbox=True)
UNKNOWN = Model("local/m", "https://local.example.com/v1", "m", sandbox=False)


def worst(*models: Model, **calls: object) -> Decimal:
    rules = ServingRules(calls=replace(CallRules(retries=0), **calls))  # type: ignore[arg-type]
    messages = ({"role": "user", "content": "Hello"},)
    prompt = ResolvedPrompt(
        uuid4(), "p", uuid4(), 1, None, "chat", messages, (), "sandbox/fast", {}, None, serving=rules
    )
    row = Row(
        item_id=uuid4(),
        number=1,
        round=0,
        attempts=0,
        fence=0,
        variant=0,
        variables={},
        expected=None,
        metadata={},
    )
    return RowCosting(Costing(prompt, models, 1000), RowWork()).worst_case(row)


def test_worst_case__fallbacks__is_the_dearest_of_them() -> None:
    assert worst(CHEAP, DEAR, fallbacks=("sandbox/standard",)) == worst(DEAR)
    assert worst(CHEAP, UNKNOWN, fallbacks=("local/m",)) == Decimal("Infinity")


def test_worst_case__calls_that_may_hang__count_as_charged() -> None:
    assert worst(CHEAP, retries=5, timeout_seconds=120) == worst(CHEAP)
    assert worst(CHEAP, retries=1, timeout_seconds=20) == 2 * worst(CHEAP)
    assert worst(CHEAP, retries=9, timeout_seconds=20) == 4 * worst(CHEAP)


@pytest.mark.parametrize("repairs", [1, 2])
def test_worst_case__repairs__count_with_the_answers_they_are_shown(repairs: int) -> None:
    assert worst(CHEAP, repair_attempts=repairs) > (repairs + 1) * worst(CHEAP)
