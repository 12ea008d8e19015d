"""What the API shows and takes of incidents."""

from typing import Any, Final

from rest_framework import serializers

from apps.analytics.incidents.models import (
    RULES_OF_INCIDENTS,
    ClosedBecause,
    DegradationRule,
    Incident,
    WatchedMetric,
)
from apps.analytics.incidents.words import summary
from apps.core import ids
from apps.tenants.models import User

KINDS: Final = ("version", "label", "model", "connection", "price", "default_model")
_VALUE_HELP: Final = (
    "A share of one, ms (latency, the geometric mean), US dollars a call, or a mark from 1 to 5."
)


class IncidentChangeSerializer(serializers.Serializer[Any]):
    """Something that changed from six hours before the beginning until it opened; empty says nothing."""

    kind = serializers.ChoiceField(choices=KINDS)
    at = serializers.DateTimeField()
    name = serializers.CharField(help_text="A label, a connection, a price's pattern or a version's model.")
    action = serializers.CharField()
    before = serializers.CharField(help_text="The number of a version, or a model.")
    after = serializers.CharField()
    target = serializers.CharField(help_text="An id.")


class IncidentSerializer(serializers.Serializer[Any]):
    """A version that got worse in one metric."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["incident"])
    description = serializers.CharField(help_text="What got worse, in words.")
    prompt = serializers.CharField()
    version = serializers.IntegerField()
    version_id = serializers.CharField()
    metric = serializers.ChoiceField(choices=WatchedMetric.choices)
    rule = serializers.ChoiceField(choices=[(each.value, each.label) for each in RULES_OF_INCIDENTS])
    state = serializers.ChoiceField(choices=["open", "closed"])
    began_at = serializers.DateTimeField(help_text="The beginning of the window that showed it.")
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    closed_because = serializers.ChoiceField(choices=ClosedBecause.choices, allow_null=True)
    window_minutes = serializers.IntegerField()
    before_value = serializers.FloatField(help_text=f"What was usual. {_VALUE_HELP}")
    now_value = serializers.FloatField(help_text="What opened it.")
    last_value = serializers.FloatField(help_text="What the last look saw.")
    before_count = serializers.IntegerField(help_text="The calls, or marks, behind before_value.")
    now_count = serializers.IntegerField()
    score = serializers.FloatField(
        allow_null=True, help_text="In standard deviations. Null under the simple rule."
    )
    chance = serializers.FloatField(
        allow_null=True, help_text="How likely a single look is to reach the score by chance alone."
    )
    looked_until = serializers.DateTimeField()
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    acknowledged_by = serializers.CharField(allow_null=True)
    changes = IncidentChangeSerializer(many=True)


class IncidentRuleSerializer(serializers.Serializer[Any]):
    """By which rule a project's incidents are found."""

    object = serializers.ChoiceField(choices=["incident_rule"], read_only=True)
    rule = serializers.ChoiceField(choices=DegradationRule.choices)


def incident_body(incident: Incident) -> dict[str, Any]:
    """An incident as the API shows it."""
    who = incident.acknowledged_by_id
    return {
        "id": incident.public_id,
        "object": "incident",
        "description": summary(incident),
        "prompt": ids.encode("prm", incident.prompt_id),
        "version": incident.version_number,
        "version_id": ids.encode("prv", incident.version_id),
        "metric": incident.metric,
        "rule": incident.rule,
        "state": "open" if incident.is_open else "closed",
        "began_at": incident.began_at,
        "opened_at": incident.opened_at,
        "closed_at": incident.closed_at,
        "closed_because": incident.closed_because or None,
        "window_minutes": incident.window_minutes,
        "before_value": incident.before_value,
        "now_value": incident.now_value,
        "last_value": incident.last_value,
        "before_count": incident.before_count,
        "now_count": incident.now_count,
        "score": incident.score,
        "chance": incident.chance,
        "looked_until": incident.looked_until,
        "acknowledged_at": incident.acknowledged_at,
        "acknowledged_by": ids.encode(User.PREFIX, who) if who else None,
        "changes": incident.changes,
    }
