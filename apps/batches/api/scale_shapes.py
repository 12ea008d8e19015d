"""Shapes of the API of scale tests."""

from typing import Any

from rest_framework import serializers

from apps.batches.api.money import MoneyField
from apps.batches.api.serializers import EstimateSerializer
from apps.batches.models import LARGEST_CONCURRENCY, StopReason
from apps.batches.scale_models import (
    LARGEST_STEP,
    MOST_STEPS,
    USUAL_STEPS,
    ScaleTest,
    ScaleTestStatus,
    ScaleTestStep,
    StepStatus,
)
from apps.batches.services.scale_tests import DEFAULT_CONCURRENCY
from apps.core import ids


class PlanScaleTestSerializer(serializers.Serializer[Any]):
    """Which prompt over which rows, how often. Without `version` and `label` it is the label production."""

    prompt = serializers.CharField(max_length=255, help_text="The prompt's name.")
    version = serializers.IntegerField(min_value=1, required=False)
    label = serializers.CharField(max_length=36, required=False)  # type: ignore[assignment]
    dataset_version = serializers.CharField(help_text="dsv_…, or dst_… for a dataset's latest version.")
    model = serializers.CharField(max_length=255, required=False, help_text="Instead of the version's model.")
    steps = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=LARGEST_STEP),
        min_length=1,
        max_length=MOST_STEPS,
        default=list(USUAL_STEPS),
        help_text="Rising numbers of rows; the dataset's are gone through again where there are fewer.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "version" in attrs and "label" in attrs:
            raise serializers.ValidationError({"label": "Give version or label, not both."})
        return attrs


class StartScaleTestSerializer(PlanScaleTestSerializer):
    """A scale test to start."""

    name = serializers.CharField(max_length=120, required=False)
    concurrency = serializers.IntegerField(
        min_value=1, max_value=LARGEST_CONCURRENCY, default=DEFAULT_CONCURRENCY
    )
    cost_cap_usd = MoneyField(
        required=False, help_text="For all steps together; demanded where the model costs money."
    )


class ScaleTestStepSerializer(serializers.Serializer[Any]):
    """A step; figures are null until they are measured, the cost where a price is unknown."""

    rows = serializers.IntegerField()
    status = serializers.ChoiceField(choices=StepStatus.values)
    batch = serializers.CharField(allow_null=True)
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    seconds = serializers.FloatField(allow_null=True)
    rows_per_second = serializers.FloatField(allow_null=True)
    latency_p50_ms = serializers.FloatField(allow_null=True)
    latency_p95_ms = serializers.FloatField(allow_null=True)
    latency_p99_ms = serializers.FloatField(allow_null=True)
    error_rate = serializers.FloatField(allow_null=True)
    cost_per_row_usd = serializers.CharField(allow_null=True)
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()


class ScaleTestSerializer(serializers.Serializer[Any]):
    """A scale test. Money of the sandbox is made up."""

    id = serializers.CharField()
    object = serializers.CharField(default="scale_test")
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=ScaleTestStatus.values)
    stop_reason = serializers.ChoiceField(choices=StopReason.values, allow_null=True)
    problem = serializers.CharField(allow_null=True)
    prompt = serializers.CharField()
    version = serializers.IntegerField()
    label = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    dataset_version = serializers.CharField()
    model = serializers.CharField()
    concurrency = serializers.IntegerField()
    sandbox = serializers.BooleanField()
    livemode = serializers.BooleanField()
    cost_cap_usd = serializers.CharField(allow_null=True)
    estimate = EstimateSerializer()
    steps = ScaleTestStepSerializer(many=True)
    created_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField(allow_null=True)


def scale_test_json(test: ScaleTest) -> dict[str, Any]:
    """The object as the API tells it; its steps are read with it or one query each."""
    return {
        "id": test.public_id,
        "object": "scale_test",
        "name": test.name,
        "status": test.status,
        "stop_reason": test.stop_reason or None,
        "problem": test.problem or None,
        "prompt": test.prompt_name,
        "version": test.version_number,
        "label": test.label or None,
        "dataset_version": ids.encode("dsv", test.dataset_version_id),
        "model": test.model,
        "concurrency": test.concurrency,
        "sandbox": test.sandbox,
        "livemode": test.livemode,
        "cost_cap_usd": None if test.cost_cap is None else f"{test.cost_cap.normalize():f}",
        "estimate": test.estimate,
        "steps": [_step_json(step) for step in test.steps.all()],
        "created_at": test.created_at,
        "completed_at": test.completed_at,
    }


def _step_json(step: ScaleTestStep) -> dict[str, Any]:
    return {
        "rows": step.rows,
        "status": step.status,
        "batch": ids.encode("bat", step.batch_id) if step.batch_id else None,
        "succeeded": step.succeeded,
        "failed": step.failed,
        "seconds": step.seconds,
        "input_tokens": step.input_tokens,
        "output_tokens": step.output_tokens,
        **step.figures(),
    }
