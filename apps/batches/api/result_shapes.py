"""Shapes of what came out of a batch: rows, failures, comparisons."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from apps.batches.models import BatchItem, BatchJob, BatchVariant, CostStatus, ItemStatus
from apps.batches.results.comparing import ComparedPage, Comparison, Means, Side
from apps.batches.results.failures import FailureGroup
from apps.batches.results.heads import row_number
from apps.batches.results.pages import ResultRow
from apps.batches.results.words import error_json, plain_digits
from apps.core import ids


class BatchItemSerializer(serializers.Serializer[Any]):
    """One row of a batch; with several variants, one row for each."""

    id = serializers.CharField(allow_null=True, help_text="null for a row that nothing has taken yet.")
    object = serializers.CharField(default="batch_item")
    row = serializers.IntegerField(help_text="Of the input, from 1.")
    variant = serializers.IntegerField(allow_null=True, help_text="From 1, where several run; else null.")
    version = serializers.IntegerField()
    model = serializers.CharField()
    status = serializers.ChoiceField(choices=ItemStatus.choices)
    variables = serializers.DictField()
    expected = serializers.CharField(allow_null=True)
    metadata = serializers.DictField()
    output = serializers.CharField(allow_null=True)
    output_truncated = serializers.BooleanField()
    parsed = serializers.JSONField(allow_null=True)
    match = serializers.BooleanField(allow_null=True)
    error = serializers.DictField(allow_null=True)
    usage = serializers.DictField()
    cost_usd = serializers.CharField(allow_null=True)
    cost_status = serializers.ChoiceField(choices=CostStatus.choices)
    latency_ms = serializers.IntegerField(allow_null=True)
    round = serializers.IntegerField(help_text="How often the row was retried on request.")
    duplicate_of = serializers.IntegerField(allow_null=True, help_text="The row whose answer this one got.")
    run_id = serializers.CharField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class BatchFailureSerializer(serializers.Serializer[Any]):
    """Failed rows with one reason. With `more` there are more than `rows`, which are not all counted yet."""

    code = serializers.CharField()
    rows = serializers.IntegerField()
    more = serializers.BooleanField()
    example_row = serializers.IntegerField()
    example_message = serializers.CharField()


class BatchFailureListSerializer(serializers.Serializer[Any]):
    object = serializers.CharField(default="list")
    data = BatchFailureSerializer(many=True)  # type: ignore[assignment]
    url = serializers.CharField()


class ComparedSideSerializer(serializers.Serializer[Any]):
    """One side; means are those of rows that both answered, null where not known."""

    batch = serializers.CharField()
    variant = serializers.IntegerField()
    version = serializers.IntegerField()
    model = serializers.CharField()
    matched = serializers.IntegerField(help_text="Of the rows in `expected`.")
    only_here = serializers.IntegerField(help_text="Rows that the other side did not answer.")
    mean_latency_ms = serializers.FloatField(allow_null=True)
    mean_tokens = serializers.FloatField(allow_null=True)
    mean_cost_usd = serializers.CharField(allow_null=True)


class ComparedRowSerializer(serializers.Serializer[Any]):
    row = serializers.IntegerField()
    variables = serializers.DictField()
    expected = serializers.CharField(allow_null=True)
    first = BatchItemSerializer()
    second = BatchItemSerializer()


class BatchComparisonSerializer(serializers.Serializer[Any]):
    """What is different between two sides in the first `looked` of `rows`, and a page of such rows."""

    object = serializers.CharField(default="batch_comparison")
    first = ComparedSideSerializer()
    second = ComparedSideSerializer()
    rows = serializers.IntegerField()
    looked = serializers.IntegerField()
    answered = serializers.IntegerField(help_text="Rows that both answered.")
    same = serializers.IntegerField()
    changed = serializers.IntegerField()
    agreement = serializers.FloatField(allow_null=True, help_text="same of answered, from 0 to 1.")
    expected = serializers.IntegerField(help_text="Rows that both were compared with an expected value.")
    gained = serializers.IntegerField(help_text="Rows that match in the second only.")
    lost = serializers.IntegerField(help_text="Rows that match in the first only.")
    data = ComparedRowSerializer(many=True)  # type: ignore[assignment]
    has_more = serializers.BooleanField()
    next_after_row = serializers.IntegerField(allow_null=True)


def item_json(job: BatchJob, row: ResultRow, variants: Sequence[BatchVariant]) -> dict[str, Any]:
    """One row of a batch."""
    item: BatchItem = row.item
    position = (item.number - 1) % job.variant_count
    variant = next((each for each in variants if each.position == position), None)
    ran: BatchJob | BatchVariant = variant or job
    return {
        "id": None if item._state.adding else item.public_id,
        "object": "batch_item",
        "row": row_number(job, item.number),
        "variant": variant and position + 1,
        "version": ran.version_number,
        "model": ran.model,
        "status": item.status,
        "variables": row.variables,
        "expected": row.expected,
        "metadata": row.metadata,
        "output": item.output if item.run_id else None,
        "output_truncated": item.output_truncated,
        "parsed": item.parsed,
        "match": item.matches,
        "error": error_json(item),
        "usage": {"input_tokens": item.input_tokens, "output_tokens": item.output_tokens},
        "cost_usd": _usd(item.cost),
        "cost_status": item.cost_status,
        "latency_ms": item.latency_ms,
        "duplicate_of": item.duplicate_of and row_number(job, item.duplicate_of),
        "round": item.round,
        "run_id": ids.encode("run", item.run_id) if item.run_id else None,
        "finished_at": item.finished_at,
    }


def failure_json(job: BatchJob, group: FailureGroup) -> dict[str, Any]:
    """Failed rows with one reason."""
    return {
        "code": group.code,
        "rows": group.rows,
        "more": group.more,
        "example_row": row_number(job, group.number),
        "example_message": group.message,
    }


def comparison_json(first: Side, second: Side, found: Comparison, page: ComparedPage) -> dict[str, Any]:
    """A comparison with a page of its rows."""
    return {
        "object": "batch_comparison",
        "first": _side(first, found.first, found.first_matched, found.only_first),
        "second": _side(second, found.second, found.second_matched, found.only_second),
        "rows": found.rows,
        "looked": found.looked,
        "answered": found.answered,
        "same": found.same,
        "changed": found.changed,
        "agreement": found.agreement,
        "expected": found.expected,
        "gained": found.gained,
        "lost": found.lost,
        "data": [
            {
                "row": pair.row,
                "variables": pair.first.variables,
                "expected": pair.first.expected,
                "first": item_json(first.job, pair.first, first.variants),
                "second": item_json(second.job, pair.second, second.variants),
            }
            for pair in page.rows
        ],
        "has_more": page.after is not None,
        "next_after_row": page.after,
    }


def _side(side: Side, means: Means, matched: int, only_here: int) -> dict[str, Any]:
    return {
        "batch": side.job.public_id,
        "variant": side.variant + 1,
        "version": side.version_number,
        "model": side.model,
        "matched": matched,
        "only_here": only_here,
        "mean_latency_ms": means.latency_ms,
        "mean_tokens": means.tokens,
        "mean_cost_usd": _usd(means.cost),
    }


def _usd(amount: Decimal | None) -> str | None:
    return None if amount is None else plain_digits(amount)
