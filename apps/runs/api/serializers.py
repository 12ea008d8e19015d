"""What the API shows of runs."""

from typing import Any

from rest_framework import serializers

from apps.runs.api.feedback_shapes import FeedbackSerializer
from apps.runs.models import BackgroundStatus, RunSource


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
    model = serializers.CharField(allow_null=True)
    kind = serializers.CharField(
        allow_null=True, help_text="call, retry, fallback, repair, judge or embedding; null in older runs."
    )
    usage = serializers.DictField(allow_null=True, help_text="Tokens of this call; null where not known.")
    cost = serializers.CharField(
        allow_null=True, help_text="Decimal US dollars of this call; null where not known."
    )


class RunCacheSerializer(serializers.Serializer[Any]):
    """The cache that answered in place of a model."""

    kind = serializers.ChoiceField(choices=["exact", "semantic"])
    distance = serializers.FloatField(
        allow_null=True, help_text="Cosine distance of a semantic hit: 1 - similarity."
    )
    source = serializers.CharField(  # type: ignore[assignment]
        help_text="The run whose answer it was."
    )


class GuardrailHitSerializer(serializers.Serializer[Any]):
    """What a guardrail found, and did: never the text itself."""

    rule = serializers.CharField()
    kind = serializers.CharField()
    type = serializers.CharField(allow_blank=True)
    side = serializers.ChoiceField(choices=["input", "output"])
    place = serializers.CharField(help_text="variables.<name>, messages.<index>, output, …")
    start = serializers.IntegerField(allow_null=True)
    end = serializers.IntegerField(allow_null=True)
    action = serializers.ChoiceField(choices=["flag", "redact", "block"])
    score = serializers.FloatField(allow_null=True)
    signals = serializers.ListField(child=serializers.CharField())


class RunSerializer(serializers.Serializer[Any]):
    """A run in numbers."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["run"])
    created_at = serializers.DateTimeField()
    livemode = serializers.BooleanField(help_text="False for a run of a psk_test_ key.")
    status = serializers.ChoiceField(
        choices=BackgroundStatus.values, help_text="queued and running: a background run that hasn't ended."
    )
    source = serializers.ChoiceField(choices=RunSource.values)  # type: ignore[assignment]
    source_id = serializers.CharField(allow_null=True)
    prompt = serializers.CharField(allow_null=True, help_text="The prompt's name.")
    prompt_id = serializers.CharField(allow_null=True)
    version = serializers.IntegerField(allow_null=True)
    label = serializers.CharField(  # type: ignore[assignment]
        allow_null=True, help_text="The label that was asked for."
    )
    model = serializers.CharField(allow_null=True)
    sandbox = serializers.BooleanField()
    usage = TokenUsageSerializer()
    cost = CostSerializer()
    latency_ms = serializers.IntegerField(allow_null=True)
    first_token_ms = serializers.IntegerField(allow_null=True)
    finish_reason = serializers.CharField(allow_null=True)
    cached_from = serializers.CharField(
        allow_null=True, help_text="The run whose answer this one was given from the cache."
    )
    own_time_us = serializers.IntegerField(
        allow_null=True,
        help_text="Microseconds that were neither a provider's nor a wait; null if not known.",
    )
    cache = RunCacheSerializer(allow_null=True)
    guardrail_hits = GuardrailHitSerializer(many=True)
    attempts = AttemptSerializer(many=True)
    overrides = serializers.ListField(
        child=serializers.CharField(),
        help_text="Defaults of the version that the call went over: variable:<name>, parameter:<name>.",
    )
    error = FailureSerializer(allow_null=True)
    request_id = serializers.CharField(allow_null=True)
    provider_request_id = serializers.CharField(allow_null=True)
    api_key_id = serializers.CharField(allow_null=True)
    user = serializers.CharField(allow_null=True)
    unit = serializers.CharField(allow_null=True, help_text="The caller's name of whom the run is for.")
    metadata = serializers.DictField(child=serializers.CharField())
    background = serializers.BooleanField(help_text="Whether it was accepted first and carried out later.")
    feedback = FeedbackSerializer(many=True, required=False, help_text="With expand[]=feedback.")


class ContentSerializer(serializers.Serializer[Any]):
    """A run's content."""

    messages = serializers.ListField(
        child=serializers.DictField(),
        help_text="As sent to the model; a content may be a list of text, image_url and file parts.",
    )
    variables = serializers.DictField()
    parameters = serializers.DictField()
    output = serializers.CharField()


class RunDetailSerializer(RunSerializer):
    """A run with its content, which is null where it was not stored or has been deleted."""

    content = ContentSerializer(allow_null=True)
    content_state = serializers.ChoiceField(
        choices=["kept", "not_stored", "deleted", "waiting"],
        help_text="not_stored: the project stored no content when it ran. deleted: by retention or erasure. "
        "waiting: the run has not ended.",
    )
