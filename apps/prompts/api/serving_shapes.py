"""What the API shows of serving policies, and what it takes: the forms of `apps.prompts.serving`."""

from typing import Any

from rest_framework import serializers

from apps.core.errors import InvalidRequest
from apps.prompts import serving
from apps.prompts.models import Prompt
from apps.prompts.serving import SECTIONS, Section
from apps.prompts.serving_state import ServingState
from apps.tenants.models import Project


class CacheRulesSerializer(serializers.Serializer[Any]):
    """When an earlier answer does. 0 seconds switch a cache off; a call's own `cache` comes first."""

    exact_seconds = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=serving.LONGEST_EXACT,
        help_text="Equal calls.",
    )
    semantic_seconds = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=serving.LONGEST_SEMANTIC,
        help_text="Similar calls.",
    )
    threshold = serializers.FloatField(
        required=False,
        allow_null=True,
        min_value=serving.LEAST_THRESHOLD,
        max_value=1,
        help_text="The least cosine similarity of a similar call.",
    )
    embedding_model = serializers.CharField(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=serving.LONGEST_REFERENCE,
        help_text="Compares calls: <connection>/<model>. Required with semantic_seconds.",
    )
    sensitive_variables = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        allow_null=True,
        max_length=serving.MOST_SENSITIVE,
        help_text="A similar call answers only where these have equal values.",
    )


class CallRulesSerializer(serializers.Serializer[Any]):
    """How the provider is called."""

    fallbacks = serializers.ListField(
        child=serializers.CharField(max_length=serving.LONGEST_REFERENCE),
        required=False,
        allow_null=True,
        max_length=serving.MOST_FALLBACKS,
        help_text="Models or aliases, tried in order after the prompt's own model.",
    )
    retries = serializers.IntegerField(
        required=False, allow_null=True, min_value=0, max_value=serving.MOST_RETRIES
    )
    timeout_seconds = serializers.FloatField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=serving.LONGEST_CALL,
        help_text="Of one call of a model.",
    )
    repair_attempts = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=serving.MOST_REPAIRS,
        help_text="How often to ask again for an answer that breaks the output schema.",
    )


class LimitRulesSerializer(serializers.Serializer[Any]):
    """Most requests and tokens a minute, and runs at a time; what is missing or null does not limit."""

    requests_per_minute = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=serving.MINUTE_LIMIT
    )
    tokens_per_minute = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=serving.MINUTE_LIMIT
    )
    concurrent_runs = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=serving.MINUTE_LIMIT
    )
    user_requests_per_minute = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=serving.MINUTE_LIMIT,
        help_text="For each `user` of calls by itself.",
    )
    user_tokens_per_minute = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=serving.MINUTE_LIMIT
    )


class ServingChangeSerializer(serializers.Serializer[Any]):
    """The sections to put in place, each as a whole; null resets one. What is missing stays."""

    revision = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        help_text="The revision that you saw; 409 when it is another by now.",
    )
    guardrails = serializers.DictField(required=False, allow_null=True)
    cache = CacheRulesSerializer(required=False, allow_null=True)
    calls = CallRulesSerializer(required=False, allow_null=True)
    limits = LimitRulesSerializer(required=False, allow_null=True)


class EffectiveSerializer(serializers.Serializer[Any]):
    """What holds, with every field."""

    guardrails = serializers.DictField()
    cache = CacheRulesSerializer()
    calls = CallRulesSerializer()
    limits = LimitRulesSerializer()


class OriginsSerializer(serializers.Serializer[Any]):
    """Whose each section is that holds."""

    guardrails = serializers.ChoiceField(choices=["prompt", "project", "default"])
    cache = serializers.ChoiceField(choices=["prompt", "project", "default"])
    calls = serializers.ChoiceField(choices=["prompt", "project", "default"])
    limits = serializers.ChoiceField(choices=["prompt", "project", "default"])


class CautionSerializer(serializers.Serializer[Any]):
    """What is allowed and yet won't do what it seems to."""

    param = serializers.CharField()
    message = serializers.CharField()


class ServingPolicySerializer(serializers.Serializer[Any]):
    """How a prompt, or a project, is served. A section of its own that is null is the project's."""

    object = serializers.ChoiceField(choices=["serving_policy"])
    project_id = serializers.CharField()
    prompt = serializers.CharField(allow_null=True, help_text="Its name; null for the project's default.")
    prompt_id = serializers.CharField(allow_null=True)
    revision = serializers.IntegerField(help_text="0 before the first change.")
    guardrails = serializers.DictField(allow_null=True)
    cache = CacheRulesSerializer(allow_null=True)
    calls = CallRulesSerializer(allow_null=True)
    limits = LimitRulesSerializer(allow_null=True)
    effective = EffectiveSerializer()
    origins = OriginsSerializer()
    warnings = CautionSerializer(many=True)
    changed_at = serializers.DateTimeField(allow_null=True)
    changed_by = serializers.CharField(allow_null=True)


def serving_body(project: Project, prompt: Prompt | None, state: ServingState) -> dict[str, Any]:
    """A serving policy as the API shows it."""
    return {
        "object": "serving_policy",
        "project_id": project.public_id,
        "prompt": prompt.name if prompt else None,
        "prompt_id": prompt.public_id if prompt else None,
        "revision": state.revision,
        **{str(name): value for name, value in state.own.items()},
        "effective": dict(state.effective),
        "origins": dict(state.origins),
        "warnings": [{"param": each.param, "message": each.message} for each in state.warnings],
        "changed_at": state.changed_at,
        "changed_by": state.changed_by or None,
    }


def asked_change(body: Any) -> tuple[dict[Section, Any], int | None]:
    """The sections and the revision of a body. Raises InvalidRequest naming what it does not know.

    The sections themselves are checked by the service: unlike elsewhere nothing in them may be overlooked.
    """
    if not isinstance(body, dict):
        raise InvalidRequest("The body is an object.", code="parameter_invalid")
    for name in body:
        if name not in (*SECTIONS, "revision"):
            known = ", ".join((*SECTIONS, "revision"))
            message = f"There is no field '{str(name)[:64]}'. A serving policy has {known}."
            raise InvalidRequest(message, code="parameter_invalid", param=str(name)[:64])
    revision = body.get("revision")
    if revision is not None and (isinstance(revision, bool) or not isinstance(revision, int) or revision < 0):
        raise InvalidRequest("revision is a whole number.", code="parameter_invalid", param="revision")
    return {name: body[name] for name in SECTIONS if name in body}, revision
