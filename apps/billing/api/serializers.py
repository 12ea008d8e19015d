"""What the API shows of usage."""

from typing import Any

from rest_framework import serializers

from apps.billing.queries import UsageSummary


class MeterSerializer(serializers.Serializer[Any]):
    """One meter of the month; `included` and `remaining` are null without a limit."""

    included = serializers.IntegerField(allow_null=True)
    used = serializers.IntegerField()
    remaining = serializers.IntegerField(allow_null=True)


class UsageSerializer(serializers.Serializer[Any]):
    """This month's usage of the organization. Sandbox runs are apart: no quota, no money."""

    object = serializers.ChoiceField(choices=["usage"])
    plan = serializers.CharField()
    period_start = serializers.DateTimeField()
    period_end = serializers.DateTimeField()
    runs = MeterSerializer()
    sandbox_runs = MeterSerializer()


def usage_body(summary: UsageSummary) -> dict[str, Any]:
    """A summary as the API shows it."""
    return {
        "object": "usage",
        "plan": summary.plan.slug,
        "period_start": summary.period_start,
        "period_end": summary.period_end,
        "runs": {"included": summary.included, "used": summary.used, "remaining": summary.remaining},
        "sandbox_runs": {"included": None, "used": summary.sandbox_used, "remaining": None},
    }
