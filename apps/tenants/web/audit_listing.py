"""The audit log as a list: its columns, filters and file."""

import json
from datetime import datetime, time, timedelta
from typing import Any, Final

from django.db.models import QuerySet
from django.utils import timezone

from apps.audit import trail
from apps.audit.models import AuditEvent
from apps.audit.trail import Change, ShownEvent
from apps.core.tables import Asked, Column, Filter, FilterKind, Table, register

OUTCOMES: Final = [("done", "Done"), ("refused", "Refused")]


def find(organization_id: Any, asked: Asked) -> QuerySet[AuditEvent]:
    """The events that a view of the list asks for; days are those of the reader's zone."""
    filters = asked.filters
    return trail.find_events(
        organization_id,
        actor=filters["actor"],
        action=filters["action"],
        target=filters["object"],
        outcome=filters["outcome"],
        since=_start_of(filters["from"]),
        until=_start_of(filters["to"], days=1),
    )


def words(change: Change) -> str:
    """A change in one line, as "version: 3 → 4"."""
    if change.erased:
        return f"{change.field}: erased"
    if change.before is None:
        return f"{change.field}: {value_text(change.after)}"
    return f"{change.field}: {value_text(change.before)} → {value_text(change.after)}"


def value_text(value: Any) -> str:
    """A value as text: words as they are, all else as JSON; "none" for nothing."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _start_of(day: str, *, days: int = 0) -> datetime | None:
    if not day:
        return None
    try:
        midnight = datetime.combine(datetime.fromisoformat(day).date() + timedelta(days=days), time.min)
    except OverflowError:
        return None
    return timezone.make_aware(midnight)


def _changes(row: ShownEvent) -> dict[str, Any]:
    return {
        change.field: "erased" if change.erased else [change.before, change.after] for change in row.changes
    }


AUDIT: Final = register(
    Table[AuditEvent, ShownEvent](
        key="audit",
        prefix=AuditEvent.PREFIX,
        noun=("event", "events"),
        default_sort="-when",
        prepare=trail.shown,
        filters=(
            Filter("outcome", "Outcome", OUTCOMES),
            Filter("from", "From", kind=FilterKind.DATE),
            Filter("to", "To", kind=FilterKind.DATE),
            Filter("actor", "Who", kind=FilterKind.TEXT),
            Filter("action", "Action", kind=FilterKind.TEXT),
            Filter("object", "Object", kind=FilterKind.TEXT),
        ),
        columns=(
            Column("id", "Id", lambda row: row.event.public_id, export_only=True),
            Column("when", "When", lambda row: row.event.occurred_at, sort="id", downwards=True, always=True),
            Column("who", "Who", lambda row: row.actor_name),
            Column("actor_kind", "Kind of actor", lambda row: row.event.actor_kind, export_only=True),
            Column("actor_id", "Actor's id", lambda row: row.actor_id, export_only=True),
            Column("role", "Role", lambda row: row.event.actor_role, default=False),
            Column("action", "Action", lambda row: row.event.action, always=True),
            Column("outcome", "Outcome", lambda row: row.event.outcome, export_only=True),
            Column("object", "Object", lambda row: row.object_name),
            Column("object_type", "Kind of object", lambda row: row.event.object_type, export_only=True),
            Column("object_id", "Object's id", lambda row: row.event.object_id, export_only=True),
            Column("changes", "Before and after", _changes),
            Column("ip", "Address", lambda row: row.ip),
            Column("request_id", "Request", lambda row: row.event.request_id, default=False),
        ),
    )
)
