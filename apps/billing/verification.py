"""Whether the ledger agrees with itself: each key has one event, which says what the key promised."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import connection

from apps.billing.ledger import content_hash
from apps.core.scope import system_scope

AT_ONCE: Final = 5_000

_KEYS: Final = """
SELECT k.id, k.organization_id, k.key, k.content_hash,
       e.id IS NOT NULL, e.organization_id, e.key, e.meter, e.quantity, e.project_id
FROM billing_usagekey k LEFT JOIN billing_usageevent e ON e.id = k.id
WHERE k.id > %s ORDER BY k.id LIMIT %s
"""
_EVENTS_WITHOUT_KEY: Final = """
SELECT e.id FROM billing_usageevent e
WHERE NOT EXISTS (SELECT FROM billing_usagekey k WHERE k.id = e.id) ORDER BY e.id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class LedgerProblem:
    """One row of the ledger that doesn't hold."""

    event_id: UUID
    complaint: str

    def __str__(self) -> str:
        return f"usage event {self.event_id}: {self.complaint}"


@dataclass(slots=True)
class LedgerVerification:
    """Goes through the whole ledger once; `checked` counts the keys seen so far."""

    checked: int = 0

    def problems(self) -> Iterator[LedgerProblem]:
        """Every row that doesn't hold, in pieces of a transaction each. Called outside every scope."""
        after = UUID(int=0)
        while rows := _rows(_KEYS, [after, AT_ONCE]):
            for row in rows:
                self.checked += 1
                complaint = _complaint(row)
                if complaint:
                    yield LedgerProblem(row[0], complaint)
            after = rows[-1][0]
        for (event_id,) in _rows(_EVENTS_WITHOUT_KEY, [AT_ONCE]):
            yield LedgerProblem(event_id, "has no key, so it could be counted twice")


def _rows(statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with system_scope(), connection.cursor() as cursor:
        # A scan of the whole ledger may take longer than a page's query.
        cursor.execute("SET LOCAL statement_timeout = '10min'")
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def _complaint(row: tuple[Any, ...]) -> str:
    _, organization_id, key, digest, found, event_organization, event_key, meter, quantity, project_id = row
    if not found:
        return f"the key {key} has no event"
    if (organization_id, key) != (event_organization, event_key):
        return f"stands under the key {event_key} of {event_organization}, not {key} of {organization_id}"
    if content_hash(meter=meter, quantity=quantity, project_id=project_id) != bytes(digest):
        return f"was changed: it doesn't match what was recorded under the key {key}"
    return ""
