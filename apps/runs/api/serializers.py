"""What the API shows of runs."""

from typing import Any

from rest_framework import serializers

from apps.core import ids
from apps.runs.api.feedback_shapes import FeedbackSerializer
from apps.runs.models import Run, RunSource, RunStatus
from apps.runs.queries import Content
from apps.runs.types import amount_text


class TokenUsageSerializer(serializers.Serializer[Any]):
    """Tokens; null where the provider did not say."""

    input_tokens = serializers.IntegerField(allow_null=True)
    output_tokens = serializers.IntegerField(allow_null=True)
    cached_tokens = serializers.IntegerField(allow_null=True)
    origin = serializers.ChoiceField(choices=["provider", "estimated", "cache", "none"])


class CostSerializer(serializers.Serializer[Any]):
    """What the run cost. An unknown price is not a price of zero; a sandbox price is made up."""

    status = serializers.ChoiceField(choices=["priced", "free", "unknown", "sandbox", "none"])
    amount = serializers.CharField(allow_null=True, help_text="Decimal US dollars.")
    currency = serializers.CharField(default="USD")


class FailureSerializer(serializers.Serializer[Any]):
    """Why a run failed."""

    type = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class AttemptSerializer(serializers.Serializer[Any]):
    """One call to the provider; milliseconds from the run's start."""

    start_ms = serializers.IntegerField()
    duration_ms = serializers.IntegerField()
    error = serializers.CharField(
        help_text="Empty for an answer that was taken; output_invalid for one that was asked for again."
    )
    status = serializers.IntegerField(allow_null=True)


class RunSerializer(serializers.Serializer[Any]):
    """A run in numbers."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["run"])
    created_at = serializers.DateTimeField()
    livemode = serializers.BooleanField(help_text="False for a run of a psk_test_ key.")
    status = serializers.ChoiceField(choices=RunStatus.values)
    source = serializers.ChoiceField(choices=RunSource.values)  # type: ignore[assignment]
    source_id = serializers.CharField(allow_null=True)
    prompt = serializers.CharField(allow_null=True, help_text="The prompt's name.")
    prompt_id = serializers.CharField(allow_null=True)
    version = serializers.IntegerField(allow_null=True)
    label = serializers.CharField(  # type: ignore[assignment]
        allow_null=True, help_text="The label that was asked for."
    )
    model = serializers.CharField()
    sandbox = serializers.BooleanField()
    usage = TokenUsageSerializer()
    cost = CostSerializer()
    latency_ms = serializers.IntegerField()
    first_token_ms = serializers.IntegerField(allow_null=True)
    finish_reason = serializers.CharField(allow_null=True)
    cached_from = serializers.CharField(
        allow_null=True, help_text="The run whose answer this one was given from the cache."
    )
    attempts = AttemptSerializer(many=True)
    error = FailureSerializer(allow_null=True)
    request_id = serializers.CharField(allow_null=True)
    provider_request_id = serializers.CharField(allow_null=True)
    api_key_id = serializers.CharField(allow_null=True)
    user = serializers.CharField(allow_null=True)
    metadata = serializers.DictField(child=serializers.CharField())
    feedback = FeedbackSerializer(many=True, required=False, help_text="With expand[]=feedback.")


class ContentSerializer(serializers.Serializer[Any]):
    """A run's content."""

    messages = serializers.ListField(child=serializers.DictField(), help_text="As sent to the model.")
    variables = serializers.DictField()
    parameters = serializers.DictField()
    output = serializers.CharField()


class RunDetailSerializer(RunSerializer):
    """A run with its content, which is null where it was not kept or has been deleted."""

    content = ContentSerializer(allow_null=True)


def run_body(run: Run) -> dict[str, Any]:
    """A run in numbers, as the API shows it."""
    return {
        "id": run.public_id,
        "object": "run",
        "created_at": run.created_at,
        "livemode": run.livemode,
        "status": run.status,
        "source": run.source,
        "source_id": _source_id(run),
        "prompt": run.prompt_name or None,
        "prompt_id": ids.encode("prm", run.prompt_id) if run.prompt_id else None,
        "version": run.version_number,
        "label": run.label or None,
        "model": run.model,
        "sandbox": run.sandbox,
        "usage": {
            "input_tokens": run.input_tokens,
            "output_tokens": run.output_tokens,
            "cached_tokens": run.cached_tokens,
            "origin": run.usage_origin,
        },
        "cost": {"status": run.price_status, "amount": amount_text(run.price_amount), "currency": "USD"},
        "latency_ms": run.latency_ms,
        "first_token_ms": run.first_token_ms,
        "finish_reason": run.finish_reason or None,
        "cached_from": ids.encode(Run.PREFIX, run.cached_from) if run.cached_from else None,
        "attempts": run.attempts,
        "error": _failure(run),
        "request_id": run.request_id or None,
        "provider_request_id": run.provider_request_id or None,
        "api_key_id": ids.encode("key", run.api_key_id) if run.api_key_id else None,
        "user": run.end_user or None,
        "metadata": run.metadata,
    }


def run_detail_body(run: Run, content: Content | None) -> dict[str, Any]:
    """A run with its content."""
    shown = None
    if content is not None:
        shown = {
            "messages": list(content.messages),
            "variables": dict(content.variables),
            "parameters": dict(content.parameters),
            "output": content.output,
        }
    return {**run_body(run), "content": shown}


def _source_id(run: Run) -> str | None:
    if run.source_id is None:
        return None
    return ids.encode("bat", run.source_id) if run.source == RunSource.BATCH else str(run.source_id)


def _failure(run: Run) -> dict[str, str] | None:
    if not run.error_code:
        return None
    return {"type": run.error_type, "code": run.error_code, "message": run.error_message}
