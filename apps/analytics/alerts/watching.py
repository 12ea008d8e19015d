"""Looking at rules: every minute those that are due, each in a transaction of its own.

A rule that can't be looked at says so and is tried again later; the others go on. Two of these jobs at once
do no harm: a rule's row is locked, and one that another job holds is skipped.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.utils import timezone

from apps.analytics import freshness, periods
from apps.analytics.alerts import mail, observing, recipients
from apps.analytics.alerts.evaluation import (
    Observation,
    Standing,
    Step,
    advance,
    crossed_levels,
    quota_state,
)
from apps.analytics.alerts.models import AlertEvent, AlertKind, AlertRule, AlertState, EventReason
from apps.analytics.alerts.spec import RuleSpec, spec_of
from apps.audit.actor import SYSTEM
from apps.billing.queries import UsageSummary, usage_summary
from apps.core import outbox
from apps.core.logs import get_logger
from apps.core.scope import organization_scope, system_scope

AT_ONCE: Final = 5_000
MOST_SECONDS: Final = 45.0
TRIED_AGAIN: Final = timedelta(minutes=5)
PROBLEM: Final = "It could not be looked at. It is tried again every five minutes."
FIRING: Final = (AlertState.WARN, AlertState.ALERT)
FIRED, RESOLVED = "alert.fired", "alert.resolved"

logger = get_logger(__name__)


def look_at_due_rules(now: datetime | None = None) -> int:
    """Look at the rules that are due, the longest due first, for 45 s at most; returns how many."""
    moment = now or timezone.now()
    with system_scope():
        due = AlertRule.all_organizations.filter(enabled=True, due_at__lte=moment - observing.SETTLING)
        found = list(due.order_by("due_at", "id").values_list("organization_id", "id")[:AT_ONCE])
    ends_at = time.monotonic() + MOST_SECONDS
    looked = 0
    for organization_id, rule_id in found:
        if time.monotonic() > ends_at:
            logger.warning("alerts.late", extra={"waiting": len(found) - looked})
            break
        looked += _look_at(organization_id, rule_id, moment)
    return looked


def _look_at(organization_id: UUID, rule_id: UUID, now: datetime) -> bool:
    try:
        with organization_scope(organization_id):
            return evaluate(rule_id, now)
    except Exception:
        # Whatever it was, the other rules must not suffer from it.
        logger.exception("alerts.rule_failed", extra={"alert_rule": str(rule_id)})
    with organization_scope(organization_id):
        AlertRule.objects.filter(pk=rule_id).update(problem=PROBLEM, due_at=now + TRIED_AGAIN)
    return False


def evaluate(rule_id: UUID, now: datetime) -> bool:
    """Look at one rule, if it is due and nobody else does; returns whether. Needs its scope."""
    rows = AlertRule.objects.select_related("project", "organization").select_for_update(
        of=("self",), no_key=True, skip_locked=True
    )
    rule = rows.filter(pk=rule_id, enabled=True, due_at__lte=now - observing.SETTLING).first()
    if rule is None:
        return False
    spec = spec_of(rule)
    at = observing.newest_step(spec, freshness.rolled_up_until(), now)
    if rule.evaluated_until is not None and at <= rule.evaluated_until:
        return False
    rule.evaluated_at, rule.evaluated_until, rule.problem = now, at, ""
    rule.due_at = at + periods.LENGTHS[spec.grain]
    if spec.kind == AlertKind.QUOTA:
        _look_at_quota(rule, spec, at, usage_summary(rule.organization_id, now))
    else:
        seen = observing.observe(rule.project_id, spec, [at], now)[0]
        _take(rule, advance(standing_of(rule), spec.limits, seen), seen)
    return True


def standing_of(rule: AlertRule) -> Standing:
    """What the state machine knows of a rule."""
    return Standing(
        state=AlertState(rule.state),
        since=rule.state_since,
        calm_since=rule.calm_since,
        notified_at=rule.notified_at,
        acknowledged=rule.acknowledged_at is not None,
        muted_until=rule.muted_until,
    )


def _look_at_quota(rule: AlertRule, spec: RuleSpec, at: datetime, usage: UsageSummary) -> None:
    """Each level has one event in a period, which the database keeps; the highest new one is told."""
    told = AlertEvent.objects.filter(rule=rule, period_start=usage.period_start)
    new = crossed_levels(
        spec.levels,
        usage.used,
        usage.included,
        [each for each in told.values_list("level", flat=True) if each],
    )
    before = standing_of(rule)
    state = quota_state(spec.levels, usage.used, usage.included)
    share = Decimal(usage.used) / usage.included if usage.included else None
    seen = Observation(at, observing.exact(share), usage.used)
    for level in new[:-1]:
        _event(rule, seen, EventReason.QUOTA, state, level=level, period=usage.period_start).save()
    if state != before.state:
        following = Standing(state, at, muted_until=before.muted_until)
    else:
        following = replace(before, acknowledged=before.acknowledged and not new)
    untold = following.firing and following.notified_at is None and not following.acknowledged
    notify = (bool(new) or untold) and not before.muted(at)
    reason = EventReason.QUOTA if new else EventReason.REMINDER if notify else EventReason.CHANGED
    step = Step(following, reason if new or notify or state != before.state else None, notify)
    _take(rule, step, seen, level=new[-1] if new else None, period=usage.period_start if new else None)


def _take(
    rule: AlertRule,
    step: Step,
    seen: Observation,
    *,
    level: int | None = None,
    period: datetime | None = None,
) -> None:
    """Write what a step says: history, mails and outbox, and the rule itself."""
    standing = step.standing
    if step.reason is not None:
        event = _event(rule, seen, step.reason, standing.state, level=level, period=period)
        rule.state, rule.state_since = standing.state, standing.since
        if step.notify:
            event.mails = mail.tell(rule, event, recipients.reachable(rule))
        event.save(force_insert=True)
        if step.notify:
            _hand_on(rule, event)
    rule.state, rule.state_since, rule.calm_since = standing.state, standing.since, standing.calm_since
    rule.notified_at = standing.notified_at
    if step.notify:
        rule.notified_at = seen.at if standing.firing else None
    if not standing.acknowledged:
        rule.acknowledged_at, rule.acknowledged_by = None, None
    rule.last_value, rule.last_sample = seen.value, seen.sample
    rule.save(update_fields=_SAVED)


_SAVED: Final[Sequence[str]] = (
    "state",
    "state_since",
    "calm_since",
    "notified_at",
    "acknowledged_at",
    "acknowledged_by",
    "last_value",
    "last_sample",
    "evaluated_at",
    "evaluated_until",
    "due_at",
    "problem",
)


def _event(
    rule: AlertRule,
    seen: Observation,
    reason: EventReason,
    state: AlertState,
    *,
    level: int | None = None,
    period: datetime | None = None,
) -> AlertEvent:
    return AlertEvent(
        organization_id=rule.organization_id,
        rule=rule,
        reason=reason,
        from_state=rule.state,
        to_state=state,
        value=seen.value,
        sample=seen.sample,
        until=seen.at,
        level=level,
        period_start=period,
    )


def _hand_on(rule: AlertRule, event: AlertEvent) -> None:
    """Tell whoever listens besides mail, in the words of the API."""
    payload = {
        "id": rule.public_id,
        "name": rule.name,
        "event": event.public_id,
        "project_id": rule.project.public_id,
        "state": event.to_state,
        "reason": event.reason,
        "value": None if event.value is None else float(event.value),
        "measured_until": event.until.isoformat(),
        "previous": {"state": event.from_state},
        "actor": SYSTEM.told(),
    }
    outbox.write(FIRED if event.to_state in FIRING else RESOLVED, payload, rule.organization_id)
