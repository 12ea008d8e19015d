"""What the API shows of figures."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers

from apps.analytics.efficiency import FORMULA
from apps.analytics.metrics import METRICS, Metric
from apps.analytics.periods import INTERVALS


def _field(metric: Metric) -> serializers.Field[Any, Any, Any, Any]:
    words = f"{metric.words}. {metric.explanation}"
    if metric.unit == "usd":
        return serializers.CharField(
            required=False, allow_null=True, help_text=f"{words} Decimal US dollars."
        )
    if metric.unit in ("count", "tokens"):
        return serializers.IntegerField(required=False, allow_null=True, help_text=words)
    unit = {"share": "From 0 to 1.", "ms": "Milliseconds, within 1 %.", "score": "From 1 to 5."}[metric.unit]
    return serializers.FloatField(required=False, allow_null=True, help_text=f"{words} {unit}")


class AnalyticsValuesSerializer(serializers.Serializer[Any]):
    """The metrics that were asked for; null is unknown or nothing to measure, which is not 0."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """A field for each metric of the catalogue."""
        return {key: _field(metric) for key, metric in METRICS.items()}


class AnalyticsGroupSerializer(serializers.Serializer[Any]):
    """What a line or a row is about; `value` is what a filter takes."""

    kind = serializers.ChoiceField(choices=["all", "value", "none", "others"])
    value = serializers.CharField(allow_null=True)
    name = serializers.CharField()


class AnalyticsPointSerializer(serializers.Serializer[Any]):
    """One interval; `partial` while it isn't over."""

    starts_at = serializers.DateTimeField()
    partial = serializers.BooleanField()  # type: ignore[assignment]
    values = AnalyticsValuesSerializer()


class AnalyticsLineSerializer(serializers.Serializer[Any]):
    """One group over time. `previous` ends after the same time as this period has come to."""

    group = AnalyticsGroupSerializer()
    total = AnalyticsValuesSerializer()
    previous = AnalyticsValuesSerializer(allow_null=True)
    points = AnalyticsPointSerializer(many=True)
    previous_points = AnalyticsPointSerializer(many=True, help_text="With compare=true, without group_by.")


class _AnalyticsHeadSerializer(serializers.Serializer[Any]):
    to = serializers.DateTimeField()
    interval = serializers.ChoiceField(choices=list(INTERVALS))
    rolled_up_until = serializers.DateTimeField(help_text="Up to when every run is in the figures.")
    sandbox = serializers.BooleanField()
    group_by = serializers.CharField(allow_null=True)
    metrics = serializers.ListField(child=serializers.CharField())

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """The fields, with the one whose name is a word of Python."""
        return {"from": serializers.DateTimeField(), **super().get_fields()}


class AnalyticsSeriesSerializer(_AnalyticsHeadSerializer):
    """Figures over time, a line a group: the largest first, all others together last."""

    object = serializers.ChoiceField(choices=["analytics_series"])
    lines = AnalyticsLineSerializer(many=True)


class AnalyticsErrorsSerializer(serializers.Serializer[Any]):
    """How many requests failed with an error code."""

    code = serializers.CharField()
    count = serializers.IntegerField()


class AnalyticsRowSerializer(serializers.Serializer[Any]):
    """One group of a summary; `share` is its part of what the rows are ordered by."""

    group = AnalyticsGroupSerializer()
    total = AnalyticsValuesSerializer()
    previous = AnalyticsValuesSerializer(allow_null=True)
    share = serializers.FloatField(allow_null=True)


class AnalyticsSummarySerializer(_AnalyticsHeadSerializer):
    """The figures of a whole period, and of its largest groups where group_by asks for them."""

    object = serializers.ChoiceField(choices=["analytics_summary"])
    total = AnalyticsValuesSerializer()
    previous = AnalyticsValuesSerializer(allow_null=True)
    errors = AnalyticsErrorsSerializer(many=True)  # type: ignore[assignment]
    rows = AnalyticsRowSerializer(many=True)


class AnalyticsScorePartSerializer(serializers.Serializer[Any]):
    """One part of a score, from 0 to 1; null where it isn't known and left out."""

    key = serializers.CharField()
    weight = serializers.IntegerField()
    value = serializers.FloatField(allow_null=True)
    missing = serializers.CharField(allow_null=True, help_text="Why it isn't known.")


class AnalyticsEfficiencySerializer(serializers.Serializer[Any]):
    """A version's score from 0 to 100, of `n` requests; null where too little is known."""

    score = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField()
    missing = serializers.CharField(allow_null=True, help_text="Why there is no score.")
    parts = AnalyticsScorePartSerializer(many=True)


class AnalyticsOverrideSerializer(serializers.Serializer[Any]):
    """A default that calls override; `doubtful` where most of 30 or more do."""

    kind = serializers.ChoiceField(choices=["variable", "parameter"])
    name = serializers.CharField()
    count = serializers.IntegerField()
    share = serializers.FloatField(help_text="Of the version's requests.")
    doubtful = serializers.BooleanField()


class AnalyticsVersionSerializer(serializers.Serializer[Any]):
    """One version with what its calls came to."""

    id = serializers.CharField()
    version = serializers.IntegerField()
    message = serializers.CharField()
    created_at = serializers.DateTimeField()
    labels = serializers.ListField(child=serializers.CharField())
    values = AnalyticsValuesSerializer()
    efficiency = AnalyticsEfficiencySerializer()
    overrides = AnalyticsOverrideSerializer(many=True)


class AnalyticsVersionsSerializer(serializers.Serializer[Any]):
    """A prompt's versions side by side, the newest first."""

    object = serializers.ChoiceField(choices=["analytics_versions"])
    prompt = serializers.CharField()
    to = serializers.DateTimeField()
    interval = serializers.ChoiceField(choices=list(INTERVALS))
    rolled_up_until = serializers.DateTimeField(help_text="Up to when every run is in the figures.")
    sandbox = serializers.BooleanField()
    formula = serializers.CharField(help_text="How the scores are made.")
    versions = AnalyticsVersionSerializer(many=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """The fields, with the one whose name is a word of Python."""
        return {"from": serializers.DateTimeField(), **super().get_fields()}


class AnalyticsCostSerializer(serializers.Serializer[Any]):
    """What some requests cost: the known prices, how many it leaves out, and its share of all known costs."""

    amount = serializers.CharField(allow_null=True, help_text="Decimal US dollars; null where none is known.")
    unknown_price = serializers.IntegerField()
    requests = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True)


class AnalyticsCostRowSerializer(serializers.Serializer[Any]):
    """One group with its cost in each column."""

    group = AnalyticsGroupSerializer()
    cells = AnalyticsCostSerializer(many=True)
    total = AnalyticsCostSerializer()


class AnalyticsCostsSerializer(serializers.Serializer[Any]):
    """Costs by one dimension down and, where asked for, another one across."""

    object = serializers.ChoiceField(choices=["analytics_costs"])
    to = serializers.DateTimeField()
    interval = serializers.ChoiceField(choices=list(INTERVALS))
    rolled_up_until = serializers.DateTimeField(help_text="Up to when every run is in the figures.")
    sandbox = serializers.BooleanField()
    rows_by = serializers.CharField()
    columns_by = serializers.CharField(allow_null=True)
    columns = AnalyticsGroupSerializer(many=True)
    rows = AnalyticsCostRowSerializer(many=True)
    totals = AnalyticsCostSerializer(many=True, help_text="Of each column.")
    total = AnalyticsCostSerializer()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """The fields, with the one whose name is a word of Python."""
        return {"from": serializers.DateTimeField(), **super().get_fields()}


_HEAD: Final = {
    "from": "2026-11-20T00:00:00Z",
    "to": "2026-11-22T00:00:00Z",
    "interval": "day",
    "rolled_up_until": "2026-11-21T14:02:11Z",
    "sandbox": False,
    "group_by": "model",
    "metrics": ["requests", "error_rate", "cost", "unknown_price"],
}
_KNOWN: Final = {"requests": 5120, "error_rate": 0.0125, "cost": "12.84", "unknown_price": 0}
_UNKNOWN: Final = {"requests": 40, "error_rate": 0.0, "cost": None, "unknown_price": 40}
_OPENAI: Final = {"kind": "value", "value": "openai/gpt-5-mini", "name": "openai/gpt-5-mini"}
_LOCAL: Final = {"kind": "value", "value": "local/echo", "name": "local/echo"}
SERIES_EXAMPLE: Final = OpenApiExample(
    "Two days by model; nobody knows what local/echo costs",
    value={
        "object": "analytics_series",
        **_HEAD,
        "lines": [
            {
                "group": _OPENAI,
                "total": _KNOWN,
                "previous": None,
                "points": [
                    {"starts_at": "2026-11-20T00:00:00Z", "partial": False, "values": _KNOWN},
                    {
                        "starts_at": "2026-11-21T00:00:00Z",
                        "partial": True,
                        "values": {"requests": 0, "error_rate": None, "cost": None, "unknown_price": 0},
                    },
                ],
                "previous_points": [],
            },
        ],
    },
    response_only=True,
    media_type="application/json",
)
SUMMARY_EXAMPLE: Final = OpenApiExample(
    "The models of two days; nobody knows what local/echo costs",
    value={
        "object": "analytics_summary",
        **_HEAD,
        "total": {"requests": 5160, "error_rate": 0.0124, "cost": "12.84", "unknown_price": 40},
        "previous": None,
        "errors": [{"code": "provider_timeout", "count": 61}, {"code": "rate_limited", "count": 3}],
        "rows": [
            {"group": _OPENAI, "total": _KNOWN, "previous": None, "share": 0.9922},
            {"group": _LOCAL, "total": _UNKNOWN, "previous": None, "share": 0.0078},
        ],
    },
    response_only=True,
    media_type="application/json",
)
VERSIONS_EXAMPLE: Final = OpenApiExample(
    "The version behind production; its answers have no schema",
    value={
        "object": "analytics_versions",
        "prompt": "support/reply",
        **{key: _HEAD[key] for key in ("from", "to", "interval", "rolled_up_until", "sandbox")},
        "formula": FORMULA,
        "versions": [
            {
                "id": "prv_01m7zg73kwf7h8fba3vxxmf82y",
                "version": 7,
                "message": "Shorter, and asks back",
                "created_at": "2026-11-18T09:14:03Z",
                "labels": ["production"],
                "values": _KNOWN,
                "efficiency": {
                    "score": 87.4,
                    "n": 5120,
                    "missing": None,
                    "parts": [
                        {"key": "success", "weight": 35, "value": 0.9875, "missing": None},
                        {"key": "validity", "weight": 15, "value": None, "missing": "No output schema."},
                    ],
                },
                "overrides": [
                    {"kind": "variable", "name": "tone", "count": 3072, "share": 0.6, "doubtful": True}
                ],
            }
        ],
    },
    response_only=True,
)
_SPENT: Final = {"amount": "12.84", "unknown_price": 0, "requests": 5120, "share": 1.0}
_UNTOLD: Final = {"amount": None, "unknown_price": 40, "requests": 40, "share": None}
_WHOLE: Final = {"amount": "12.84", "unknown_price": 40, "requests": 5160, "share": 1.0}
COSTS_EXAMPLE: Final = OpenApiExample(
    "Two days by model; nobody knows what local/echo costs",
    value={
        "object": "analytics_costs",
        **{key: _HEAD[key] for key in ("from", "to", "interval", "rolled_up_until", "sandbox")},
        "rows_by": "model",
        "columns_by": None,
        "columns": [{"kind": "all", "value": None, "name": "All requests"}],
        "rows": [
            {"group": _OPENAI, "cells": [_SPENT], "total": _SPENT},
            {"group": _LOCAL, "cells": [_UNTOLD], "total": _UNTOLD},
        ],
        "totals": [_WHOLE],
        "total": _WHOLE,
    },
    response_only=True,
    media_type="application/json",
)
