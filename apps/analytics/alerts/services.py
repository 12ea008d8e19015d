"""Changes of alert rules. Each is audited; what a rule says changes in `watching` alone."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.analytics.alerts import mail, recipients
from apps.analytics.alerts.models import MOST_RECIPIENTS, AlertEvent, AlertRule, AlertState, EventReason
from apps.analytics.alerts.spec import RuleSpec, columns_of, spec_of
from apps.analytics.alerts.spec import checked as checked_spec
from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import ids
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.tenants.models import Membership, Project

MOST_RULES: Final = 100
LONGEST_NAME: Final = 80
LONGEST_MUTE: Final = timedelta(days=90)
FIRING: Final = (AlertState.WARN, AlertState.ALERT)
_STANDING: Final = (
    "state",
    "state_since",
    "calm_since",
    "last_value",
    "last_sample",
    "evaluated_at",
    "evaluated_until",
    "due_at",
    "notified_at",
    "acknowledged_at",
    "acknowledged_by",
    "problem",
)


def create_rule(
    *, actor: Actor, project: Project, name: str, spec: RuleSpec, member_ids: Iterable[UUID] = ()
) -> AlertRule:
    """A new rule, looked at within two minutes. `member_ids` are memberships of who is told.

    Raises InvalidRequest (code alert_rule_invalid) naming what can't be, Conflict for a name that is taken
    (name_taken) or one rule too many (too_many_alert_rules).
    """
    spec = checked_spec(spec)
    rule = AlertRule(
        organization_id=project.organization_id,
        project=project,
        name=_checked_name(name),
        recipients=recipients.checked(project, spec.kind, member_ids),
        **columns_of(spec),
    )
    _lock(project)
    _refuse_taken(rule)
    if AlertRule.objects.filter(project=project).count() >= MOST_RULES:
        message = f"A project has at most {MOST_RULES} alert rules. Delete one that nobody needs."
        raise Conflict(message, code="too_many_alert_rules")
    _begin_again(rule)
    rule.save(force_insert=True)
    rule.refresh_from_db()
    _record(actor, rule, "created", {name: (None, value) for name, value in _shown(rule).items()})
    return rule


def update_rule(
    *, actor: Actor, rule: AlertRule, name: str, spec: RuleSpec, member_ids: Iterable[UUID]
) -> AlertRule:
    """Change a rule. Where it now asks something else it begins anew; what it said stays in its history.

    Raises as `create_rule` does. Recipients that can't be told any more may stay, new ones must be members.
    """
    locked, spec = _locked(rule), checked_spec(spec)
    before = _shown(locked)
    asked_before = columns_of(spec_of(locked))
    locked.name = _checked_name(name)
    locked.recipients = _kept_and_new(locked, spec, member_ids)
    for column, value in columns_of(spec).items():
        setattr(locked, column, value)
    _lock(locked.project)
    _refuse_taken(locked)
    changed = {each for each, value in columns_of(spec).items() if value != asked_before[each]}
    if changed - {"renotify_hours"}:
        _begin_again(locked)
    locked.save()
    locked.refresh_from_db()
    after = _shown(locked)
    changes = {each: (before[each], after[each]) for each in after if before[each] != after[each]}
    if changes:
        _record(actor, locked, "updated", changes)
    return locked


def delete_rule(*, actor: Actor, rule: AlertRule) -> None:
    """Delete a rule with its history."""
    locked = _locked(rule)
    _record(actor, locked, "deleted", {"name": (locked.name, None)})
    locked.delete()


def set_enabled(*, actor: Actor, rule: AlertRule, enabled: bool) -> bool:
    """Switch a rule on or off; returns whether that changed anything. Switched on, it begins anew."""
    locked = _locked(rule)
    if locked.enabled == enabled:
        return False
    locked.enabled = enabled
    if enabled:
        _begin_again(locked)
    locked.save()
    _record(actor, locked, "enabled" if enabled else "disabled", {"enabled": (not enabled, enabled)})
    return True


def acknowledge_rule(*, actor: Actor, rule: AlertRule) -> AlertRule:
    """Say that somebody is on it: no more reminders until the state changes.

    Raises Conflict (code alert_not_firing) for a rule that neither warns nor alerts.
    """
    locked = _locked(rule)
    if not locked.enabled or locked.state not in FIRING:
        message = "Nothing to acknowledge: the rule neither warns nor alerts now."
        raise Conflict(message, code="alert_not_firing")
    if locked.acknowledged_at is None:
        locked.acknowledged_at = timezone.now()
        locked.acknowledged_by_id = actor.id if actor.kind == "user" else None
        locked.save(update_fields=["acknowledged_at", "acknowledged_by", "updated_at"])
        _record(actor, locked, "acknowledged", {"state": (locked.state, locked.state)})
    return locked


def mute_rule(*, actor: Actor, rule: AlertRule, until: datetime | None) -> AlertRule:
    """Send nothing until a moment; None ends it at once. The rule is looked at all the same.

    Raises InvalidRequest (code mute_invalid) for a moment that is past or more than 90 days away.
    """
    now = timezone.now()
    if until is not None and not now < until <= now + LONGEST_MUTE:
        message = f"A mute ends in the future, at most {LONGEST_MUTE.days} days from now."
        raise InvalidRequest(message, code="mute_invalid", param="until")
    locked = _locked(rule)
    before, locked.muted_until = locked.muted_until, until
    locked.save(update_fields=["muted_until", "updated_at"])
    action = "muted" if until else "unmuted"
    _record(actor, locked, action, {"muted_until": (before, until)})
    return locked


def send_test(*, actor: Actor, rule: AlertRule) -> AlertEvent:
    """Write a test mail to everybody whom the rule tells.

    Raises Conflict (code alert_without_recipients) where that is nobody.
    """
    locked = _locked(rule)
    members = recipients.reachable(locked)
    if not members:
        message = "This rule tells nobody. Choose recipients first."
        raise Conflict(message, code="alert_without_recipients")
    event = AlertEvent(
        organization_id=locked.organization_id,
        rule=locked,
        reason=EventReason.TEST,
        from_state=locked.state,
        to_state=locked.state,
        value=locked.last_value,
        sample=locked.last_sample,
        until=locked.evaluated_until or timezone.now(),
    )
    event.mails = mail.tell(locked, event, members)
    event.save(force_insert=True)
    _record(actor, locked, "tested", {"mails": (None, event.mails)})
    return event


def stop_telling(*, actor: Actor, rule: AlertRule, membership: Membership) -> bool:
    """Take a member, who asks for it, off a rule's recipients; returns whether they were one."""
    locked = _locked(rule)
    if membership.pk not in locked.recipients:
        return False
    before = _shown(locked)["recipients"]
    locked.recipients = [each for each in locked.recipients if each != membership.pk]
    locked.save(update_fields=["recipients", "updated_at"])
    _record(actor, locked, "updated", {"recipients": (before, _shown(locked)["recipients"])})
    return True


def _locked(rule: AlertRule) -> AlertRule:
    rows = AlertRule.objects.select_related("project", "organization").select_for_update(
        of=("self",), no_key=True
    )
    found = rows.filter(pk=rule.pk).first()
    if found is None:
        raise NotFound("There is no such alert rule in this project.")
    return found


def _lock(project: Project) -> None:
    """Names and their number are never checked twice at once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"alert_rules:{project.id}"])


def _refuse_taken(rule: AlertRule) -> None:
    others = AlertRule.objects.filter(project_id=rule.project_id, name=rule.name).exclude(pk=rule.pk)
    if others.exists():
        message = f"Another rule of this project is called {rule.name}."
        raise Conflict(message, code="name_taken", param="name")


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME:
        message = f"A name has 1 to {LONGEST_NAME} characters."
        raise InvalidRequest(message, code="alert_rule_invalid", param="name")
    return name


def _kept_and_new(rule: AlertRule, spec: RuleSpec, member_ids: Iterable[UUID]) -> list[UUID]:
    """Who is told already may stay on, whatever they may see by now: they are looked up for each mail."""
    wanted = list(dict.fromkeys(member_ids))
    new = recipients.checked(
        rule.project, spec.kind, [each for each in wanted if each not in rule.recipients]
    )
    kept = [each for each in wanted if each in rule.recipients]
    if len(kept) + len(new) > MOST_RECIPIENTS:
        message = f"A rule tells at most {MOST_RECIPIENTS} members."
        raise InvalidRequest(message, code="alert_rule_invalid", param="recipients")
    return kept + new


def _begin_again(rule: AlertRule) -> None:
    """As if the rule had never been looked at."""
    now = timezone.now()
    for name in _STANDING:
        setattr(rule, name, None)
    rule.state, rule.problem = AlertState.NO_DATA, ""
    rule.state_since = now
    # Due at once: the job looks at what has been due for a minute.
    rule.due_at = now - timedelta(minutes=5)


def _shown(rule: AlertRule) -> dict[str, Any]:
    """What the trail says of a rule."""
    columns = columns_of(spec_of(rule))
    columns["prompt_id"] = ids.encode("prm", rule.prompt_id) if rule.prompt_id else None
    columns["version_id"] = ids.encode("prv", rule.version_id) if rule.version_id else None
    columns["api_key_id"] = ids.encode("key", rule.api_key_id) if rule.api_key_id else None
    told = [ids.encode(Membership.PREFIX, each) for each in rule.recipients]
    return {"name": rule.name, **columns, "recipients": told}


def _record(actor: Actor, rule: AlertRule, verb: str, changes: Mapping[str, tuple[Any, Any]]) -> None:
    audit.record(
        actor=actor,
        action=f"alert_rule.{verb}",
        target=rule,
        organization_id=rule.organization_id,
        changes=dict(changes),
    )
