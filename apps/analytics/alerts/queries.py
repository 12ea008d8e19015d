"""Reads of alert rules and their history, inside the organization's scope."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.utils import timezone

from apps.analytics.alerts.models import AlertEvent, AlertKind, AlertRule, AlertState
from apps.analytics.alerts.words import Names
from apps.core.errors import NotFound
from apps.core.models import find
from apps.prompts.models import Prompt
from apps.tenants.models import APIKey, Project

MUTED, OFF, ACTIVE = "muted", "off", "active"
_URGENCY: Final = {AlertState.ALERT: 0, AlertState.WARN: 1, AlertState.NO_DATA: 2, AlertState.OK: 3}


def list_rules(
    project: Project, *, quotas: bool, search: str = "", state: str = "", kind: str = "", told: str = ""
) -> QuerySet[AlertRule]:
    """A project's rules; `told` narrows to those that may write mails, are muted, or are off.

    Without `quotas` those on the plan's quota are left out: they tell what the whole organization uses.
    """
    found = _shown(project, quotas).annotate(
        urgency=Case(
            *[When(state=state, enabled=True, then=Value(rank)) for state, rank in _URGENCY.items()],
            default=Value(4),
            output_field=IntegerField(),
        )
    )
    if search:
        found = found.filter(name__icontains=search)
    if state:
        found = found.filter(state=state, enabled=True)
    if kind:
        found = found.filter(kind=kind)
    return found.filter(_told(told, timezone.now())) if told else found


def get_rule(project: Project, public_id: str, *, quotas: bool) -> AlertRule:
    """One rule of a project; `quotas` as in `list_rules`. Raises NotFound."""
    rule = find(_shown(project, quotas).select_related("acknowledged_by"), public_id)
    if rule is None:
        raise NotFound("There is no such alert rule in this project.")
    return rule


def history(rule: AlertRule) -> QuerySet[AlertEvent]:
    """A rule's events, newest first."""
    return AlertEvent.objects.filter(rule=rule).order_by("-id")


def names_for(rules: Iterable[AlertRule]) -> Names:
    """What the prompts and keys of some rules are called now. Two statements at most."""
    every = list(rules)
    return names_of({each.prompt_id for each in every}, {each.api_key_id for each in every})


def names_of(prompt_ids: Iterable[UUID | None], key_ids: Iterable[UUID | None]) -> Names:
    """What prompts and keys are called now, as far as they still exist."""
    prompts = [each for each in prompt_ids if each]
    keys = [each for each in key_ids if each]
    return Names(
        dict(Prompt.objects.filter(pk__in=prompts).values_list("pk", "name")) if prompts else {},
        dict(APIKey.objects.filter(pk__in=keys).values_list("pk", "name")) if keys else {},
    )


def _shown(project: Project, quotas: bool) -> QuerySet[AlertRule]:
    found = AlertRule.objects.filter(project=project)
    return found if quotas else found.exclude(kind=AlertKind.QUOTA)


def _told(told: str, now: datetime) -> Q:
    muted = Q(enabled=True, muted_until__gt=now)
    return {MUTED: muted, OFF: Q(enabled=False), ACTIVE: Q(enabled=True) & ~muted}.get(told, Q())
