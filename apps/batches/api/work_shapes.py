"""How rows become calls, and what runs over them: shapes of the batch API."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from apps.batches import work as ways
from apps.batches.estimating import Estimate
from apps.batches.models import BatchVariant
from apps.batches.planning import MOST_VARIANTS, PlannedVariant, VariantChoice
from apps.batches.work import Work, parse_work


class ReduceSerializer(serializers.Serializer[Any]):
    """The prompt that makes one answer of the pieces' answers."""

    prompt = serializers.CharField(max_length=255)
    version = serializers.IntegerField(min_value=1, required=False)
    label = serializers.CharField(max_length=36, required=False)  # type: ignore[assignment]
    model = serializers.CharField(max_length=255, required=False, allow_blank=True)
    variable = serializers.CharField(
        max_length=255, required=False, help_text="Its JSON variable that gets the list of answers: parts."
    )
    max_tokens = serializers.IntegerField(min_value=1, max_value=ways.MOST_TOKENS, required=False)

    def to_internal_value(self, data: Any) -> Any:
        return _without_surplus(self, data, "work.reduce")


class WorkSerializer(serializers.Serializer[Any]):
    """How rows become calls: one each, several in one (`multi_row`), or long ones in pieces (`chunked`)."""

    kind = serializers.ChoiceField(choices=["rows", "multi_row", "chunked"])
    variable = serializers.CharField(
        max_length=255,
        required=False,
        help_text="multi_row: the prompt's JSON variable that gets the rows (rows). chunked: the long text.",
    )
    rows_per_call = serializers.IntegerField(
        min_value=2, max_value=ways.MOST_ROWS_PER_CALL, required=False, help_text="multi_row: at most."
    )
    tokens_per_call = serializers.IntegerField(
        min_value=1, max_value=ways.MOST_TOKENS, required=False, help_text="multi_row: about, of the rows."
    )
    tokens = serializers.IntegerField(
        min_value=ways.LEAST_CHUNK, max_value=ways.MOST_TOKENS, required=False, help_text="chunked: a piece."
    )
    overlap = serializers.IntegerField(
        min_value=0, max_value=ways.MOST_TOKENS // 2, required=False, help_text="chunked: at most half."
    )
    reduce = ReduceSerializer(required=False, help_text="chunked: what makes one answer of the pieces'.")

    def to_internal_value(self, data: Any) -> Any:
        return _without_surplus(self, data, "work")


class VariantSerializer(serializers.Serializer[Any]):
    """A version, a model and parameters that run over every row. What is left out is the batch's own."""

    version = serializers.IntegerField(min_value=1, required=False)
    label = serializers.CharField(max_length=36, required=False)  # type: ignore[assignment]
    model = serializers.CharField(max_length=255, required=False)
    parameters = serializers.DictField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "version" in attrs and "label" in attrs:
            raise serializers.ValidationError({"label": "Give version or label, not both."})
        return attrs


class VariantsField(serializers.ListSerializer[Any]):
    """Up to ten variants."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            child=VariantSerializer(), min_length=1, max_length=MOST_VARIANTS, required=False, **kwargs
        )


class PlannedVariantSerializer(serializers.Serializer[Any]):
    """A variant that would run, and its part of the cost."""

    version = serializers.IntegerField()
    label = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    model = serializers.CharField()
    parameters = serializers.DictField()
    cost_status = serializers.CharField()
    cost_low = serializers.CharField(allow_null=True)
    cost_high = serializers.CharField(allow_null=True)


class BatchVariantSerializer(serializers.Serializer[Any]):
    """How the rows of one variant went."""

    position = serializers.IntegerField(help_text="From 0.")
    version = serializers.IntegerField()
    label = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    model = serializers.CharField()
    parameters = serializers.DictField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    compared = serializers.IntegerField()
    matched = serializers.IntegerField()
    usage = serializers.DictField(child=serializers.IntegerField())
    cost_usd = serializers.CharField(help_text="Without the rows of unknown price.")
    unknown_rows = serializers.IntegerField()
    mean_latency_ms = serializers.IntegerField(allow_null=True)


def work_of(values: dict[str, Any]) -> Work:
    """What a caller's `work` says. Raises InvalidRequest ``work_invalid``."""
    return parse_work(values.get("work") or {})


def variants_of(values: dict[str, Any]) -> tuple[VariantChoice, ...]:
    """The variants that a caller names."""
    return tuple(
        VariantChoice(
            number=each.get("version"),
            label=each.get("label"),
            model=each.get("model", ""),
            parameters=each.get("parameters", {}),
        )
        for each in values.get("variants", ())
    )


def planned_json(variants: Iterable[PlannedVariant]) -> list[dict[str, Any]]:
    """What would run over each row."""
    return [
        {
            "version": each.prompt.number,
            "label": each.label or None,
            "model": each.model.reference,
            "parameters": each.parameters,
            **_costs(each.estimate),
        }
        for each in variants
    ]


def variants_json(variants: Iterable[BatchVariant]) -> list[dict[str, Any]]:
    """What runs over each row, and how it goes."""
    return [
        {
            "position": each.position,
            "version": each.version_number,
            "label": each.label or None,
            "model": each.model,
            "parameters": each.parameters,
            "succeeded": each.succeeded,
            "failed": each.failed,
            "compared": each.compared,
            "matched": each.matched,
            "usage": {"input_tokens": each.input_tokens, "output_tokens": each.output_tokens},
            "cost_usd": f"{each.cost_used.normalize():f}",
            "unknown_rows": each.cost_unknown,
            "mean_latency_ms": each.mean_latency_ms,
        }
        for each in variants
    ]


def _costs(estimate: Estimate) -> dict[str, Any]:
    def told(amount: Decimal | None) -> str | None:
        return None if amount is None else f"{amount:f}"

    return {
        "cost_status": estimate.status,
        "cost_low": told(estimate.low),
        "cost_high": told(estimate.high),
    }


def _without_surplus(serializer: serializers.Serializer[Any], data: Any, name: str) -> Any:
    """The values as they were checked; a name that isn't known is refused rather than ignored."""
    if isinstance(data, dict):
        for key in data:
            if key not in serializer.fields:
                raise serializers.ValidationError({str(key): f"{name} has no field of this name."})
    return serializers.Serializer.to_internal_value(serializer, data)
