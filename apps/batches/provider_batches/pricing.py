"""What rows cost in a provider's batch: one answer each, of one model, at its batch price."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from apps.batches.capping import MESSAGE_BYTES, TOOLS_BYTES
from apps.batches.claims import JobFacts, Row, Variant
from apps.batches.estimating import (
    DEFAULT_OUTPUT_TOKENS,
    Estimate,
    Model,
    find_model,
    most_output_tokens,
    together,
)
from apps.batches.leases import WorstCase
from apps.batches.planning import PlannedVariant
from apps.core.errors import InvalidRequest
from apps.core.scope import organization_scope
from apps.prompts import queries as prompt_queries
from apps.prompts.rendering import render
from apps.prompts.types import ResolvedPrompt
from apps.providers.price_rules import rule_for
from apps.providers.pricing import Price, price
from apps.providers.types import Usage


@dataclass(frozen=True, slots=True)
class _Costing:
    prompt: ResolvedPrompt
    model: Model
    output_tokens: int

    def worst_case(self, variables: dict[str, Any]) -> Decimal:
        """USD for the longest answer; a token is at least one byte, so bytes bound the input's tokens."""
        try:
            messages = render(self.prompt.messages, self.prompt.variables, variables)
        except InvalidRequest:
            return Decimal(0)  # Such a row is refused before it is sent.
        beside = [given for given in (self.prompt.output_schema, *self.prompt.tools) if given]
        size = sum(len(message["content"].encode()) + MESSAGE_BYTES for message in messages)
        size += sum(len(orjson.dumps(given)) + MESSAGE_BYTES for given in beside)
        size += TOOLS_BYTES * bool(self.prompt.tools)
        amount = batch_price(self.model, size, self.output_tokens).amount
        return Decimal("Infinity") if amount is None else amount


def batch_price(model: Model, input_tokens: int, output_tokens: int) -> Price:
    """The price of one call with so many tokens in a provider's batch, today."""
    now, usage = datetime.now(UTC), Usage(input_tokens, output_tokens)
    return price(
        model.kind, model.model_id, usage, now, rule_for(model.prices, model.reference, now), "batch"
    )


def batch_worst_case(job: JobFacts) -> WorstCase:
    """See `leases.WorstCase`; only asked for jobs with a cost cap. Opens a scope."""
    costings: list[_Costing] = []
    if job.capped:
        with organization_scope(job.organization_id):
            costings = [_costing(job, variant) for variant in job.variants]
    return lambda job, row: _worst_case(costings, row)


def batch_estimate(variants: Sequence[PlannedVariant]) -> Estimate:
    """What the rows of a plan cost through their providers' batch endpoints."""
    return together([_estimate(variant) for variant in variants])


def _worst_case(costings: list[_Costing], row: Row) -> Decimal:
    return costings[row.variant].worst_case(row.variables)


def _costing(job: JobFacts, variant: Variant) -> _Costing:
    prompt = prompt_queries.resolve(
        project_id=job.project_id, name=job.prompt_name, label=None, number=variant.version_number
    )
    model = find_model(job.project_id, variant.model, livemode=job.livemode)
    limit = most_output_tokens({**prompt.parameters, **variant.parameters})
    return _Costing(prompt, model, limit or DEFAULT_OUTPUT_TOKENS)


def _estimate(variant: PlannedVariant) -> Estimate:
    direct = variant.estimate
    given = -(-direct.input_tokens // direct.rows)
    low, high = (-(-each // direct.rows) for each in (direct.output_tokens_low, direct.output_tokens_high))
    # By the call, as it is charged: a price may depend on how long a call is.
    cheapest, dearest = batch_price(variant.model, given, low), batch_price(variant.model, given, high)
    return Estimate(
        rows=direct.rows,
        status=dearest.status,
        low=None if cheapest.amount is None else cheapest.amount * direct.rows,
        high=None if dearest.amount is None else dearest.amount * direct.rows,
        input_tokens=direct.input_tokens,
        output_tokens_low=direct.output_tokens_low,
        output_tokens_high=direct.output_tokens_high,
        basis=direct.basis,
    )
