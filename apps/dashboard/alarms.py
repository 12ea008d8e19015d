"""What is wrong in a project now: alert rules that fire, incidents that are open. For the home page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from apps.analytics.alerts import words
from apps.analytics.alerts.models import AlertRule, AlertState
from apps.analytics.alerts.queries import list_rules
from apps.analytics.alerts.services import FIRING
from apps.analytics.alerts.spec import spec_of
from apps.analytics.incidents.models import Incident
from apps.analytics.incidents.queries import open_incidents, prompt_names
from apps.analytics.incidents.words import summary
from apps.tenants.models import Project

SHOWN: Final = 6


@dataclass(frozen=True, slots=True)
class FiringRule:
    """A rule with its badge, state and last value in words."""

    rule: AlertRule
    badge: str
    state: str
    value: str


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An incident with the prompt's name and what got worse."""

    incident: Incident
    prompt: str
    words: str


@dataclass(frozen=True, slots=True)
class Alarms:
    """The most urgent ones first; `watching` is how many rules are on."""

    rules: Sequence[FiringRule]
    incidents: Sequence[OpenIncident]
    watching: int


def alarms(project: Project, *, quotas: bool) -> Alarms:
    """What fires or is open now; four statements at most. `quotas`: rules on the plan's quota as well."""
    rules = list_rules(project, quotas=quotas).filter(enabled=True)
    # By the alphabet an alert stands before a warning.
    firing = rules.filter(state__in=FIRING).order_by("state", "-state_since")[:SHOWN]
    incidents = list(open_incidents(project.id).order_by("-opened_at")[:SHOWN])
    names = prompt_names(incidents)
    return Alarms(
        rules=[_firing(rule) for rule in firing],
        incidents=[
            OpenIncident(each, names.get(each.prompt_id, "A deleted prompt"), summary(each))
            for each in incidents
        ],
        watching=rules.count(),
    )


def _firing(rule: AlertRule) -> FiringRule:
    badge, state = words.BADGES[AlertState(rule.state)]
    return FiringRule(rule, badge, state, words.value_words(spec_of(rule), rule.last_value))
