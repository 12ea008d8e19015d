"""Changes of incidents. What people do is audited; what the looking finds goes to the outbox."""

import math
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.utils import timezone

from apps.analytics.degradation.metrics import LATENCY, Metric
from apps.analytics.degradation.rules import Finding, chance
from apps.analytics.degradation.statistic import Comparison
from apps.analytics.incidents import changes
from apps.analytics.incidents.models import (
    ClosedBecause,
    DegradationRule,
    DegradationSetting,
    Incident,
)
from apps.analytics.incidents.queries import rule_of
from apps.audit import services as audit
from apps.audit.actor import SYSTEM, Actor
from apps.core import ids, outbox
from apps.core.errors import Conflict, NotFound
from apps.tenants.models import Project

OPENED, CLOSED = "incident.opened", "incident.closed"
_LOOKED: Final = ("last_value", "looked_until", "calm_looks")


def open_incident(
    *,
    project_id: UUID,
    prompt_id: UUID,
    version_id: UUID,
    version_number: int,
    finding: Finding,
    comparison: Comparison,
    until: datetime,
    now: datetime,
) -> Incident | None:
    """Write that a version got worse, with what changed beside it; None where it is known already.

    For the looking alone, in the organization's scope. `until` is the end of what was looked at.
    """
    known = Incident.objects.filter(version_id=version_id, metric=finding.metric.key, closed_at__isnull=True)
    # A project may have gone, or its rule may have been changed, since the roll-ups were read.
    project = Project.objects.filter(pk=project_id).first()
    if project is None or rule_of(project) != finding.rule.value or known.exists():
        return None
    began_at = until - timedelta(minutes=comparison.window)
    statistical = finding.rule.value == DegradationRule.STATISTICAL
    incident = Incident(
        organization_id=project.organization_id,
        project=project,
        prompt_id=prompt_id,
        version_id=version_id,
        version_number=version_number,
        metric=finding.metric.key,
        rule=finding.rule.value,
        began_at=began_at,
        opened_at=now,
        window_minutes=comparison.window,
        before_value=plain(finding.metric, comparison.before),
        now_value=plain(finding.metric, comparison.now),
        last_value=plain(finding.metric, comparison.now),
        before_count=round(comparison.before_count),
        now_count=round(comparison.now_count),
        score=comparison.score if statistical else None,
        chance=chance(comparison.score) if statistical else None,
        looked_until=until,
        changes=changes.beside(
            project_id=project_id,
            prompt_id=prompt_id,
            version_id=version_id,
            version_number=version_number,
            began_at=began_at,
            until=now,
        ),
    )
    incident.save(force_insert=True)
    _tell(OPENED, incident)
    return incident


def note_look(*, incident: Incident, finding: Finding, until: datetime) -> int:
    """Write what a further look at an open incident says; returns how many looks in a row were calm."""
    comparison = finding.comparison
    if comparison is not None:
        incident.last_value = plain(finding.metric, comparison.now)
        incident.calm_looks = incident.calm_looks + 1 if finding.calm else 0
    incident.looked_until = until
    incident.save(update_fields=_LOOKED)
    return incident.calm_looks


def close_incident(*, incident: Incident, because: ClosedBecause, now: datetime) -> bool:
    """Close an open incident; returns whether it was open."""
    # Two hosts' clocks may differ a little.
    closed_at = max(now, incident.opened_at)
    closed = Incident.objects.filter(pk=incident.pk, closed_at__isnull=True).update(
        closed_at=closed_at, closed_because=because
    )
    if closed:
        incident.closed_at, incident.closed_because = closed_at, because
        _tell(CLOSED, incident)
    return bool(closed)


def acknowledge_incident(*, actor: Actor, incident: Incident) -> Incident:
    """Say that somebody looks after it. Once is enough: the first one stays.

    Raises Conflict (code incident_closed) for one that is over.
    """
    locked = Incident.objects.select_for_update(no_key=True).filter(pk=incident.pk).first()
    if locked is None:
        raise NotFound("There is no such incident in this project.")
    if not locked.is_open:
        raise Conflict("Nothing to acknowledge: the incident is over.", code="incident_closed")
    if locked.acknowledged_at is None:
        locked.acknowledged_at = timezone.now()
        locked.acknowledged_by_id = actor.id if actor.kind == "user" else None
        locked.save(update_fields=["acknowledged_at", "acknowledged_by"])
        audit.record(
            actor=actor,
            action="incident.acknowledged",
            target=locked,
            organization_id=locked.organization_id,
            changes={"metric": (locked.metric, locked.metric)},
        )
    return locked


def acknowledge_open(*, actor: Actor, incidents: Iterable[Incident]) -> int:
    """Acknowledge those of the incidents that are still open; returns how many."""
    done = 0
    for incident in sorted(incidents, key=lambda each: each.pk):
        # One may close between the question and the answer.
        with suppress(Conflict, NotFound):
            acknowledge_incident(actor=actor, incident=incident)
            done += 1
    return done


def choose_rule(*, actor: Actor, project: Project, rule: DegradationRule) -> bool:
    """Find a project's incidents by another rule, or not at all; returns whether that changed anything.

    What is open by the old rule is closed, since nothing looks after it any more.
    """
    before = rule_of(project)
    if before == rule:
        return False
    DegradationSetting.objects.update_or_create(
        organization_id=project.organization_id, project=project, defaults={"rule": rule}
    )
    now = timezone.now()
    for incident in Incident.objects.filter(project=project, closed_at__isnull=True).order_by("pk"):
        close_incident(incident=incident, because=ClosedBecause.RULE, now=now)
    audit.record(
        actor=actor,
        action="degradation_rule.changed",
        target=project,
        organization_id=project.organization_id,
        changes={"rule": (before.value, rule.value)},
    )
    return True


def plain(metric: Metric, value: float) -> float:
    """A compared value in the metric's own unit: latency is compared in logarithms."""
    return math.exp(value) if metric is LATENCY else value


def _tell(topic: str, incident: Incident) -> None:
    payload = {
        "id": incident.public_id,
        "project_id": ids.encode("prj", incident.project_id),
        "prompt_id": ids.encode("prm", incident.prompt_id),
        "version_id": ids.encode("prv", incident.version_id),
        "metric": incident.metric,
        "actor": SYSTEM.told(),
    }
    outbox.write(topic, payload, incident.organization_id)
