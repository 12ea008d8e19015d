"""The mails of alert rules: written with the change that they tell of, sent after the commit.

A mail holds the rule, its value and links: figures and names, nothing that a prompt or a model said.
"""

from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse

from apps.analytics.alerts import queries, words
from apps.analytics.alerts.models import AlertEvent, AlertKind, AlertRule, AlertState, EventReason
from apps.analytics.alerts.spec import RuleSpec, spec_of
from apps.analytics.incidents import queries as incidents
from apps.analytics.incidents.words import summary
from apps.tenants.models import Membership

MOST_INCIDENTS: Final = 5
_HEADS: Final = {
    AlertState.ALERT: "Alert",
    AlertState.WARN: "Warning",
    AlertState.OK: "Back to OK",
    AlertState.NO_DATA: "No data any more",
}


def tell(rule: AlertRule, event: AlertEvent, members: Sequence[Membership]) -> int:
    """Put a mail to each member into the outbox, in the open transaction; returns how many."""
    if not members:
        return 0
    context = _context(rule, event)
    subject = f"{context['head']}: {rule.name} · {rule.project.name}"
    body = render_to_string("analytics/mail/alert.txt", context)
    for member in members:
        # One mail each: nobody's address is shown to the others. A line break would begin another header.
        EmailMessage(subject=" ".join(subject.split()), body=body, to=[member.user.email]).send()
    return len(members)


def address_of(rule: AlertRule) -> str:
    """The rule's page, as a mail links it."""
    slugs = [rule.organization.slug, rule.project.slug, rule.public_id]
    return settings.PUBLIC_URL + reverse("analytics:alert", args=slugs)


def head_of(event: AlertEvent) -> str:
    """What a mail is about, in a word or two."""
    if event.reason == EventReason.TEST:
        return "Test"
    if event.reason == EventReason.REMINDER:
        return f"Still: {_HEADS[AlertState(event.to_state)].lower()}"
    return f"{event.level} % of the quota" if event.level else _HEADS[AlertState(event.to_state)]


def _context(rule: AlertRule, event: AlertEvent) -> dict[str, Any]:
    spec = spec_of(rule)
    return {
        "head": head_of(event),
        "rule": rule,
        "event": event,
        "is_test": event.reason == EventReason.TEST,
        "organization": rule.organization.name,
        "words": words.rule_words(spec),
        "scope": words.scope_words(spec, queries.names_for([rule])),
        "value": words.value_words(spec, event.value),
        "sample": words.sample_words(spec, event.sample),
        "address": address_of(rule),
        "incidents": _incidents(rule, spec) if spec.kind == AlertKind.DEGRADATION else [],
        "remind": rule.renotify_hours if event.to_state in (AlertState.ALERT, AlertState.WARN) else None,
    }


def _incidents(rule: AlertRule, spec: RuleSpec) -> list[dict[str, str]]:
    """What got worse, the newest first, with the page that says what changed beside it."""
    found = incidents.open_incidents(rule.project_id, prompt_id=spec.scope.prompt_id).order_by("-opened_at")
    shown = list(found[:MOST_INCIDENTS])
    names = incidents.prompt_names(shown)
    slugs = [rule.organization.slug, rule.project.slug]
    return [
        {
            "words": f"{names.get(each.prompt_id, 'A deleted prompt')}: {summary(each)}",
            "address": settings.PUBLIC_URL + reverse("analytics:incident", args=[*slugs, each.public_id]),
        }
        for each in shown
    ]
