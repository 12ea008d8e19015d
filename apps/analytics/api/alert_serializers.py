"""What the API shows and takes of alert rules."""

from decimal import Decimal
from typing import Any, Final

from rest_framework import serializers

from apps.analytics.alerts.models import (
    LONGEST_RENOTIFY,
    MOST_RECIPIENTS,
    AlertEvent,
    AlertKind,
    AlertRule,
    AlertState,
    ComparedWith,
    Comparison,
    EventReason,
)
from apps.analytics.alerts.replaying import WouldHave
from apps.analytics.alerts.services import LONGEST_NAME
from apps.analytics.alerts.spec import QUOTA_LEVELS, WINDOWS, RuleSpec, spec_of
from apps.analytics.alerts.words import rule_words
from apps.analytics.metrics import METRICS
from apps.core import ids
from apps.runs.models import RunSource
from apps.tenants.models import Membership, User

_VALUE_HELP: Final = (
    "In the metric's unit: a share of one, ms, US dollars or a count. For a change by how much it rises or "
    "falls, in percent, or in percentage points where the metric is a share."
)
_LARGEST: Final = Decimal(10) ** 12


def _amount(**more: Any) -> serializers.DecimalField:
    return serializers.DecimalField(
        max_digits=20, decimal_places=6, min_value=-_LARGEST, max_value=_LARGEST, **more
    )


class AlertScopeSerializer(serializers.Serializer[Any]):
    """Which calls a rule is about; null narrows nothing."""

    prompt = serializers.CharField(
        required=False, allow_null=True, max_length=255, help_text="A prompt's name or id; shown as its id."
    )
    version = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=2_000_000_000,
        help_text="A number; takes a prompt.",
    )
    label = serializers.CharField(  # type: ignore[assignment]
        required=False, allow_null=True, max_length=64
    )
    model = serializers.CharField(required=False, allow_null=True, max_length=255)
    key = serializers.CharField(required=False, allow_null=True, max_length=64, help_text="An API key's id.")
    source = serializers.ChoiceField(  # type: ignore[assignment]
        required=False, allow_null=True, choices=RunSource.choices
    )
    sandbox = serializers.BooleanField(
        required=False, help_text="The sandbox's calls in place of the real ones."
    )


class _WatchedSerializer(serializers.Serializer[Any]):
    """What every kind of body may say of a rule."""

    metric = serializers.ChoiceField(
        required=False, allow_null=True, choices=list(METRICS), help_text="For threshold and change."
    )
    scope = AlertScopeSerializer(required=False)
    comparison = serializers.ChoiceField(
        required=False, choices=Comparison.choices, help_text="above: goes above, or rises by more than."
    )
    value = _amount(required=False, allow_null=True, help_text=_VALUE_HELP)
    warn_value = _amount(required=False, allow_null=True, help_text="Before the alert; null for no warning.")
    window_minutes = serializers.ChoiceField(required=False, choices=WINDOWS)
    compared_with = serializers.ChoiceField(
        required=False, allow_null=True, choices=ComparedWith.choices, help_text="For change."
    )
    minimum_sample = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=1_000_000_000,
        help_text="With fewer calls the state is no_data. Counts need none.",
    )
    levels = serializers.ListField(
        child=serializers.ChoiceField(choices=QUOTA_LEVELS),
        required=False,
        max_length=len(QUOTA_LEVELS),
        help_text="For quota, in percent.",
    )
    renotify_hours = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=LONGEST_RENOTIFY
    )


class AlertQuestionSerializer(_WatchedSerializer):
    """What a rule watches and when it fires. A kind leaves out what it does not use."""

    kind = serializers.ChoiceField(choices=AlertKind.choices)


class AlertPatchSerializer(_WatchedSerializer):
    """What changes; the rest stays. The kind can't change."""

    name = serializers.CharField(required=False, max_length=LONGEST_NAME)
    recipients = serializers.ListField(
        child=serializers.CharField(max_length=64),
        required=False,
        max_length=MOST_RECIPIENTS,
        help_text="Ids of members who may see the project's runs (of the usage, for quota).",
    )
    enabled = serializers.BooleanField(required=False)


class NewAlertSerializer(AlertQuestionSerializer):
    """A new rule."""

    name = serializers.CharField(max_length=LONGEST_NAME)
    recipients = serializers.ListField(
        child=serializers.CharField(max_length=64),
        required=False,
        max_length=MOST_RECIPIENTS,
        help_text="Ids of members who may see the project's runs (of the usage, for quota).",
    )


class AlertSerializer(serializers.Serializer[Any]):
    """A rule and what it said last."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["alert_rule"])
    name = serializers.CharField()
    description = serializers.CharField(help_text="What fires it, in words.")
    kind = serializers.ChoiceField(choices=AlertKind.choices)
    metric = serializers.CharField(allow_null=True)
    scope = AlertScopeSerializer()
    comparison = serializers.ChoiceField(choices=Comparison.choices)
    value = serializers.CharField(allow_null=True, help_text=_VALUE_HELP)
    warn_value = serializers.CharField(allow_null=True)
    window_minutes = serializers.IntegerField()
    compared_with = serializers.CharField(allow_null=True)
    minimum_sample = serializers.IntegerField()
    levels = serializers.ListField(child=serializers.IntegerField())
    recipients = serializers.ListField(child=serializers.CharField())
    renotify_hours = serializers.IntegerField(allow_null=True)
    enabled = serializers.BooleanField()
    state = serializers.ChoiceField(choices=AlertState.choices)
    state_since = serializers.DateTimeField()
    last_value = serializers.CharField(
        allow_null=True, help_text="Null is unknown, never 0. A fall is negative."
    )
    last_sample = serializers.IntegerField(allow_null=True)
    evaluated_at = serializers.DateTimeField(allow_null=True)
    evaluated_until = serializers.DateTimeField(allow_null=True)
    notified_at = serializers.DateTimeField(allow_null=True)
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    acknowledged_by = serializers.CharField(allow_null=True)
    muted_until = serializers.DateTimeField(allow_null=True)
    problem = serializers.CharField(allow_null=True, help_text="Why it could not be looked at.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class AlertEventSerializer(serializers.Serializer[Any]):
    """A line of a rule's history."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["alert_event"])
    alert = serializers.CharField()
    reason = serializers.ChoiceField(choices=EventReason.choices)
    from_state = serializers.ChoiceField(choices=AlertState.choices)
    to_state = serializers.ChoiceField(choices=AlertState.choices)
    value = serializers.CharField(allow_null=True)
    sample = serializers.IntegerField(allow_null=True)
    until = serializers.DateTimeField(help_text="The end of the window that was measured.")
    level = serializers.IntegerField(allow_null=True, help_text="Of a quota, in percent.")
    mails = serializers.IntegerField(help_text="How many members were written to.")
    created_at = serializers.DateTimeField()


class AlertPreviewSerializer(serializers.Serializer[Any]):
    """What a rule would have done last week, neither muted nor acknowledged."""

    object = serializers.ChoiceField(choices=["alert_preview"])
    description = serializers.CharField()
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    fired = serializers.IntegerField(allow_null=True, help_text="Null where nothing was known all week.")
    warned = serializers.IntegerField(allow_null=True)
    mails = serializers.IntegerField(
        allow_null=True, help_text="To each recipient. Null for a quota, whose levels may fall together."
    )
    fired_at = serializers.ListField(child=serializers.DateTimeField())
    looks = serializers.IntegerField(help_text="How often it would have been looked at.")
    known_looks = serializers.IntegerField(help_text="How often there were calls enough to say something.")
    smallest = serializers.CharField(allow_null=True)
    largest = serializers.CharField(allow_null=True)


class MuteSerializer(serializers.Serializer[Any]):
    """Until when nothing is sent; null ends it."""

    until = serializers.DateTimeField(allow_null=True)


def alert_body(rule: AlertRule) -> dict[str, Any]:
    """A rule as the API shows it."""
    spec = spec_of(rule)
    return {
        "id": rule.public_id,
        "object": "alert_rule",
        "name": rule.name,
        "description": rule_words(spec),
        **question_body(spec),
        "recipients": [ids.encode(Membership.PREFIX, each) for each in rule.recipients],
        "enabled": rule.enabled,
        "state": rule.state,
        "state_since": rule.state_since,
        "last_value": plain(rule.last_value),
        "last_sample": rule.last_sample,
        "evaluated_at": rule.evaluated_at,
        "evaluated_until": rule.evaluated_until,
        "notified_at": rule.notified_at,
        "acknowledged_at": rule.acknowledged_at,
        "acknowledged_by": ids.encode(User.PREFIX, rule.acknowledged_by_id)
        if rule.acknowledged_by_id
        else None,
        "muted_until": rule.muted_until,
        "problem": rule.problem or None,
        "created_at": rule.created_at,
        "updated_at": rule.updated_at,
    }


def question_body(spec: RuleSpec) -> dict[str, Any]:
    """What a rule asks, as the API shows and takes it."""
    scope = spec.scope
    return {
        "kind": spec.kind.value,
        "metric": spec.metric or None,
        "scope": {
            "prompt": ids.encode("prm", scope.prompt_id) if scope.prompt_id else None,
            "version": scope.version_number,
            "label": scope.label or None,
            "model": scope.model or None,
            "key": ids.encode("key", scope.api_key_id) if scope.api_key_id else None,
            "source": scope.source or None,
            "sandbox": scope.sandbox,
        },
        "comparison": spec.comparison.value,
        "value": _limit(spec, spec.value),
        "warn_value": _limit(spec, spec.warn_value),
        "window_minutes": spec.window_minutes,
        "compared_with": spec.compared_with or None,
        "minimum_sample": spec.minimum_sample,
        "levels": list(spec.levels),
        "renotify_hours": spec.renotify_hours,
    }


def _limit(spec: RuleSpec, value: Decimal | None) -> str | None:
    """By how much something falls is written without a sign."""
    return plain(abs(value) if value is not None and spec.kind == AlertKind.CHANGE else value)


def event_body(event: AlertEvent) -> dict[str, Any]:
    """An event as the API shows it."""
    return {
        "id": event.public_id,
        "object": "alert_event",
        "alert": ids.encode(AlertRule.PREFIX, event.rule_id),
        "reason": event.reason,
        "from_state": event.from_state,
        "to_state": event.to_state,
        "value": plain(event.value),
        "sample": event.sample,
        "until": event.until,
        "level": event.level,
        "mails": event.mails,
        "created_at": event.created_at,
    }


def preview_body(spec: RuleSpec, found: WouldHave) -> dict[str, Any]:
    """A past week as the API shows it."""
    replay = found.replay
    known = bool(replay.known)
    counted = known and spec.kind != AlertKind.QUOTA
    return {
        "object": "alert_preview",
        "description": rule_words(spec),
        "start": found.start,
        "end": found.end,
        "fired": replay.alerts if known else None,
        "warned": replay.warnings if counted else None,
        "mails": replay.mails if counted else None,
        "fired_at": list(replay.moments),
        "looks": replay.steps,
        "known_looks": replay.known,
        "smallest": plain(found.smallest),
        "largest": plain(found.largest),
    }


def plain(value: Decimal | None) -> str | None:
    """A number in plain digits, without the zeros that the column adds."""
    return None if value is None else f"{value.normalize():f}"
