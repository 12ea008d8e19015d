"""Shapes of the batch API."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.batches.api.control_shapes import ControlSerializer, StandingSerializer, standing_json
from apps.batches.api.delivery_shapes import (
    DeliveryOfferSerializer,
    ProviderBatchSerializer,
    deliveries_json,
    provider_batches_json,
)
from apps.batches.api.money import MoneyField
from apps.batches.api.result_shapes import BatchFailureSerializer, failure_json
from apps.batches.api.source_shapes import SourceSerializer
from apps.batches.api.work_shapes import (
    BatchVariantSerializer,
    PlannedVariantSerializer,
    VariantsField,
    WorkSerializer,
    planned_json,
    variants_json,
)
from apps.batches.models import (
    LARGEST_CONCURRENCY,
    BatchJob,
    BatchVariant,
    JobStatus,
    Source,
)
from apps.batches.outlook import Outlook
from apps.batches.paces import Pace, pace_of
from apps.batches.planning import Plan
from apps.batches.provider_batches.queries import provider_batches_of
from apps.batches.queries import Progress
from apps.batches.results.failures import FailureGroup
from apps.batches.services.starting import DEFAULT_CONCURRENCY
from apps.batches.work import as_json
from apps.core import ids


@extend_schema_field({"oneOf": [{"type": "string"}, {"$ref": "#/components/schemas/DatasetVersion"}]})
class ExpandableDatasetVersion(serializers.CharField):
    """The id of a dataset version, or the version itself where it was asked for."""


class PlanBatchSerializer(serializers.Serializer[Any]):
    """Which prompt over which rows. Without `version` and `label` the label production is meant."""

    prompt = serializers.CharField(max_length=255, help_text="The prompt's name.")
    version = serializers.IntegerField(min_value=1, required=False)
    label = serializers.CharField(max_length=36, required=False)  # type: ignore[assignment]
    dataset_version = serializers.CharField(help_text="dsv_…, or dst_… for a dataset's latest version.")
    model = serializers.CharField(max_length=255, required=False, help_text="Instead of the version's model.")
    parameters = serializers.DictField(required=False, help_text="Model parameters over the version's own.")
    row_limit = serializers.IntegerField(min_value=1, required=False, help_text="Only the first rows.")
    variants = VariantsField(help_text="Several versions, models or parameters over the same rows.")
    work = WorkSerializer(required=False)
    deduplicate = serializers.BooleanField(required=False, help_text="Answer equal rows once.")
    sample_rows = serializers.IntegerField(
        min_value=1, required=False, help_text="Run these first rows first."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "version" in attrs and "label" in attrs:
            raise serializers.ValidationError({"label": "Give version or label, not both."})
        return attrs


class StartBatchSerializer(SourceSerializer, PlanBatchSerializer, ControlSerializer):
    """A batch to start."""

    dataset_version = serializers.CharField(
        required=False, help_text="dsv_…, or dst_… for a dataset's latest version."
    )
    name = serializers.CharField(max_length=120, required=False)
    concurrency = serializers.IntegerField(
        min_value=1, max_value=LARGEST_CONCURRENCY, default=DEFAULT_CONCURRENCY
    )
    cost_cap_usd = MoneyField(required=False, help_text="The batch stops before it costs more.")
    metadata = serializers.DictField(child=serializers.CharField(max_length=512), required=False)

    def validate_metadata(self, value: dict[str, str]) -> dict[str, str]:
        if len(value) > 50 or any(len(key) > 64 for key in value):
            raise serializers.ValidationError("At most 50 keys of at most 64 characters.")
        return value


class EstimateSerializer(serializers.Serializer[Any]):
    """What the rows will cost; amounts are null when no price is known, and made up for the sandbox."""

    rows = serializers.IntegerField()
    cost_status = serializers.ChoiceField(choices=["priced", "free", "unknown", "sandbox"])
    cost_low = serializers.CharField(allow_null=True)
    cost_high = serializers.CharField(allow_null=True)
    currency = serializers.CharField(default="USD")
    input_tokens = serializers.IntegerField()
    output_tokens_low = serializers.IntegerField()
    output_tokens_high = serializers.IntegerField()
    basis = serializers.ChoiceField(choices=["runs", "limits"])
    direct = serializers.DictField(
        required=False, help_text="What direct calls would cost, where rows go through a provider's batch."
    )


class MissingVariableSerializer(serializers.Serializer[Any]):
    variable = serializers.CharField()
    rows = serializers.IntegerField()
    examples = serializers.ListField(child=serializers.IntegerField(), help_text="The first row numbers.")


class BatchPlanSerializer(serializers.Serializer[Any]):
    """What a batch would do."""

    object = serializers.CharField(default="batch_estimate")
    prompt = serializers.CharField()
    version = serializers.IntegerField()
    model = serializers.CharField()
    estimate = EstimateSerializer()
    distinct_rows = serializers.IntegerField(
        allow_null=True, help_text="Rows that differ; null unless asked for, and beyond 100,000 rows."
    )
    sample_estimate = EstimateSerializer(allow_null=True)
    variants = PlannedVariantSerializer(many=True)
    deliveries = DeliveryOfferSerializer(many=True)
    work = serializers.DictField()
    missing_variables = MissingVariableSerializer(many=True)


COUNTS: Final = ("total", "pending", "running", "succeeded", "failed", "cancelled")


class CountsSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    pending = serializers.IntegerField()
    running = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class BatchCostSerializer(serializers.Serializer[Any]):
    used_usd = serializers.CharField(help_text="Without the rows of unknown price.")
    reserved_usd = serializers.CharField(help_text="The worst case of the calls in flight.")
    cap_usd = serializers.CharField(allow_null=True)
    unknown_rows = serializers.IntegerField()
    sandbox = serializers.BooleanField(help_text="Made-up money of the sandbox.")


class PaceSerializer(serializers.Serializer[Any]):
    calls = serializers.IntegerField(allow_null=True, help_text="At a time; null: as many as the batch may.")
    resumes_at = serializers.DateTimeField(allow_null=True, help_text="No call is begun before.")


class AgreementSerializer(serializers.Serializer[Any]):
    compared = serializers.IntegerField()
    matched = serializers.IntegerField()
    field = serializers.CharField(help_text="The compared field of the output; empty for the whole of it.")


class BatchSerializer(StandingSerializer):
    """A batch. `rows_per_minute`, `seconds_left` and `failures` are told for one batch, not in lists."""

    id = serializers.CharField()
    object = serializers.CharField(default="batch")
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=JobStatus.choices)
    stop_reason = serializers.CharField()
    prompt = serializers.CharField(
        allow_null=True, help_text="None where the requests of an OpenAI batch file name their own."
    )
    version = serializers.IntegerField(allow_null=True)
    label = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    dataset_version = ExpandableDatasetVersion()
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=Source.choices, help_text="Where the rows come from."
    )
    problem = serializers.DictField(
        allow_null=True, help_text="Why it failed before its first row: code, message and param."
    )
    model = serializers.CharField(help_text="Empty where the requests of an OpenAI batch file name others.")
    parameters = serializers.DictField()
    concurrency = serializers.IntegerField()
    counts = CountsSerializer()
    usage = serializers.DictField(child=serializers.IntegerField())
    cost = BatchCostSerializer()
    agreement = AgreementSerializer()
    estimate = EstimateSerializer(allow_null=True)
    rows_per_minute = serializers.FloatField(required=False, allow_null=True)
    seconds_left = serializers.FloatField(required=False, allow_null=True)
    pace = PaceSerializer(
        required=False, allow_null=True, help_text="How its provider holds it back now; null: not at all."
    )
    failures = BatchFailureSerializer(many=True, required=False)
    work = serializers.DictField(help_text="How rows become calls.")
    variants = BatchVariantSerializer(many=True, required=False, help_text="Of a batch that has several.")
    provider_batches = ProviderBatchSerializer(
        many=True, required=False, help_text="What went to the provider's batch endpoint; of one batch."
    )
    metadata = serializers.DictField(child=serializers.CharField())
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    cancelling_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    content_deleted_at = serializers.DateTimeField(
        allow_null=True, help_text="When retention took what the rows answered; their figures stay."
    )
    expires_at = serializers.DateTimeField()


def plan_json(project_id: UUID, plan: Plan, expected: Outlook) -> dict[str, Any]:
    """What a batch of a project would do."""
    return {
        "object": "batch_estimate",
        "prompt": plan.prompt.name,
        "version": plan.prompt.number,
        "model": plan.model.reference,
        "estimate": expected.estimate.as_json(),
        "distinct_rows": expected.distinct_rows,
        "sample_estimate": expected.sample.as_json() if expected.sample else None,
        "variants": planned_json(plan.variants),
        "deliveries": deliveries_json(project_id, plan),
        "work": as_json(plan.work),
        "missing_variables": [
            {"variable": each.name, "rows": each.rows, "examples": list(each.examples)}
            for each in plan.missing
        ],
    }


def batch_json(job: BatchJob) -> dict[str, Any]:
    """A batch as it stands in lists."""
    return {
        "id": job.public_id,
        "object": "batch",
        "name": job.name,
        "status": job.status,
        "stop_reason": job.stop_reason,
        "prompt": job.prompt_name or None,
        "version": job.version_number or None,
        "label": job.label or None,
        "dataset_version": ids.encode("dsv", job.dataset_version_id),
        "source": job.source,
        "problem": job.problem or None,
        "model": job.model,
        "parameters": job.parameters,
        "work": job.work or {"kind": "rows"},
        "concurrency": job.concurrency,
        "counts": {name: getattr(job, name) for name in COUNTS},
        "usage": {"input_tokens": job.input_tokens, "output_tokens": job.output_tokens},
        "cost": {
            "used_usd": _usd(job.cost_used),
            "reserved_usd": _usd(job.cost_reserved),
            "cap_usd": None if job.cost_cap is None else _usd(job.cost_cap),
            "unknown_rows": job.cost_unknown,
            "sandbox": job.sandbox,
        },
        "agreement": {"compared": job.compared, "matched": job.matched, "field": job.match_field},
        "estimate": job.estimate or None,
        "metadata": job.metadata,
        "livemode": job.livemode,
        "created_at": job.created_at,
        "cancelling_at": job.cancelling_at,
        "completed_at": job.completed_at,
        "content_deleted_at": job.content_deleted_at,
        "expires_at": job.expires_at,
    } | standing_json(job)


def progress_json(
    progress: Progress, failures: list[FailureGroup], variants: Sequence[BatchVariant]
) -> dict[str, Any]:
    """One batch with its rate and its failures."""
    return batch_json(progress.job) | {
        "rows_per_minute": progress.rows_per_minute,
        "seconds_left": progress.seconds_left,
        "pace": _pace_json(pace_of(progress.job)),
        "variants": variants_json(variants),
        "provider_batches": provider_batches_json(provider_batches_of(progress.job)),
        "failures": [failure_json(progress.job, group) for group in failures],
    }


def _pace_json(pace: Pace | None) -> dict[str, Any] | None:
    return None if pace is None else {"calls": pace.calls, "resumes_at": pace.resumes_at}


def _usd(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
