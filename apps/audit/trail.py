"""Reading an organization's trail as people do: who, what, from where, before and after; inside its scope."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from apps.audit import queries
from apps.audit.models import AuditDetail, AuditEvent
from apps.core import ids

PERSON_PREFIXES: Final = {"user": "usr", "staff": "usr", "api_key": "key"}
# What an event shows in place of a value that lies in its detail.
SEALED: Final = {"personal": AuditDetail.Part.PERSON, "long": AuditDetail.Part.VALUES}


@dataclass(frozen=True, slots=True)
class Change:
    """One changed field. ``erased`` when its values were personal, or long, and are gone."""

    field: str
    before: Any
    after: Any
    erased: bool = False


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """An event with its unsealed details. Empty texts stand for what was erased or never known."""

    event: AuditEvent
    actor_name: str
    ip: str
    object_name: str
    changes: tuple[Change, ...]

    @property
    def actor_id(self) -> str:
        """The public id of the user or the key; empty for the system."""
        prefix = PERSON_PREFIXES.get(self.event.actor_kind)
        return ids.encode(prefix, self.event.actor_id) if prefix and self.event.actor_id else ""

    @property
    def object_word(self) -> str:
        """What kind of thing was acted on, in words."""
        prefix = self.event.object_id.partition("_")[0]
        return ids.PREFIXES.get(prefix, self.event.object_type)


def find_events(
    organization_id: UUID,
    *,
    actor: str = "",
    action: str = "",
    target: str = "",
    outcome: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[AuditEvent]:
    """An organization's events, newest first: by the public ids of actor and object, action and time.

    An actor or object that can't exist finds nothing.
    """
    found = queries.events(organization_id)
    if actor:
        found = _by_actor(found, actor)
    if action:
        found = found.filter(action=action)
    if target:
        found = found.filter(object_id=target)
    if outcome:
        found = found.filter(outcome=outcome)
    # Ids hold the time of their making, and their index is the one that the list walks along.
    if since:
        found = found.filter(id__gte=ids.first_of(since))
    if until:
        found = found.filter(id__lt=ids.first_of(until))
    return found


def shown(events: Sequence[AuditEvent]) -> list[ShownEvent]:
    """Events of one organization with their details; one statement for all of them."""
    if not events:
        return []
    details = queries.details(events[0].organization_id, [event.id for event in events])
    return [_shown(event, details.get(event.id, {})) for event in events]


def _by_actor(found: QuerySet[AuditEvent], actor: str) -> QuerySet[AuditEvent]:
    for kind, prefix in PERSON_PREFIXES.items():
        actor_id = ids.decode_or_none(prefix, actor)
        if actor_id and kind != "staff":
            return found.filter(actor_id=actor_id)
    return found.filter(actor_kind=actor, actor_id=None)


def _shown(event: AuditEvent, details: dict[str, dict[str, Any]]) -> ShownEvent:
    person = details.get(AuditDetail.Part.PERSON, {})
    names = {"system": "System"}
    return ShownEvent(
        event=event,
        actor_name=str(person.get("display") or names.get(event.actor_kind, "")),
        ip=str(person.get("ip") or ""),
        object_name=str(person.get("object_name") or event.object_name),
        changes=tuple(_change(field, value, details) for field, value in sorted(event.changes.items())),
    )


def _change(field: str, value: Any, details: dict[str, dict[str, Any]]) -> Change:
    if isinstance(value, str):
        part = details.get(SEALED.get(value, ""), {})
        pair = (part.get("changes", {}) if value == "personal" else part).get(field)
        return Change(field, None, None, erased=True) if pair is None else Change(field, *pair)
    return Change(field, *value)
