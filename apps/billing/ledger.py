"""How usage enters the ledger: SQL and sorted arrays that a recorder puts into its own one statement.

Pure: no connection is touched here. The recorder runs the statement under the system role, so every row
names its organization. A key that is already there counts nothing, whoever wrote it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Literal
from uuid import UUID

from apps.core import ids

Outcome = Literal["recorded", "duplicate", "conflict"]

ONE: Final = Decimal(1)

# Common table expressions to stand in a WITH list behind `usage_input`, whose columns are those of
# `USAGE_INPUT`: `usage_recorded(id)` holds the events that are new, `usage_outcome(organization_id, key, id,
# outcome)` one line for each given row. Sorted input keeps two groups from deadlocking on the unique key.
RECORDING_EXPRESSIONS: Final = """
usage_recorded AS (
    INSERT INTO billing_usagekey (id, organization_id, key, content_hash)
    SELECT id, organization_id, key, content_hash FROM usage_input ORDER BY organization_id, key, id
    ON CONFLICT (organization_id, key) DO NOTHING
    RETURNING id
), usage_event AS (
    INSERT INTO billing_usageevent (
        id, organization_id, key, meter, quantity,
        project_id, source_kind, source_id, lease_id, occurred_at
    )
    SELECT
        id, organization_id, key, meter, quantity,
        project_id, source_kind, source_id, lease_id, occurred_at
    FROM usage_input JOIN usage_recorded USING (id)
), usage_outcome AS (
    SELECT usage_input.organization_id, usage_input.key, usage_input.id, CASE
        WHEN usage_recorded.id IS NOT NULL THEN 'recorded'
        WHEN coalesce(stored.content_hash, first_value(usage_input.content_hash) OVER same_key)
            <> usage_input.content_hash THEN 'conflict'
        ELSE 'duplicate'
    END AS outcome
    FROM usage_input
    LEFT JOIN usage_recorded USING (id)
    -- Only where a key was there before: joined as a whole, Postgres may read the table from end to end.
    LEFT JOIN LATERAL (
        SELECT content_hash FROM billing_usagekey
        WHERE organization_id = usage_input.organization_id AND key = usage_input.key
        OFFSET 0
    ) stored ON usage_recorded.id IS NULL
    WINDOW same_key AS (PARTITION BY usage_input.organization_id, usage_input.key ORDER BY usage_input.id)
)"""

USAGE_INPUT: Final = """
usage_input AS (
    SELECT * FROM unnest(
        %(usage_id)s::uuid[], %(usage_organization_id)s::uuid[], %(usage_key)s::text[],
        %(usage_content_hash)s::bytea[], %(usage_meter)s::text[], %(usage_quantity)s::numeric[],
        %(usage_project_id)s::uuid[], %(usage_source_kind)s::text[], %(usage_source_id)s::uuid[],
        %(usage_lease_id)s::uuid[], %(usage_occurred_at)s::timestamptz[]
    ) AS input(
        id, organization_id, key, content_hash, meter, quantity,
        project_id, source_kind, source_id, lease_id, occurred_at
    )
)"""

RECORD: Final = f"WITH {USAGE_INPUT}, {RECORDING_EXPRESSIONS} SELECT id, outcome FROM usage_outcome"


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One metered fact to record.

    `key` is unique in the organization for ever (`item:<id>:<round>`, `run:<id>`); `lease_id` comes from
    the reservation that admitted it. The event's `id` may be given, so that the recorder can join on it.
    """

    organization_id: UUID
    key: str
    meter: str
    source_kind: str
    source_id: UUID
    occurred_at: datetime
    quantity: Decimal = ONE
    project_id: UUID | None = None
    lease_id: UUID | None = None
    id: UUID = field(default_factory=ids.uuid7)

    def content_hash(self) -> bytes:
        """What must agree for the same key to be a repeat: the amount, not the attempt that told it."""
        return content_hash(meter=self.meter, quantity=self.quantity, project_id=self.project_id)


@lru_cache(maxsize=4096)
def content_hash(*, meter: str, quantity: Decimal, project_id: UUID | None) -> bytes:
    """The SHA-256 of what one usage key stands for."""
    content = f"{meter}\0{quantity.normalize():f}\0{project_id or ''}"
    return hashlib.sha256(content.encode()).digest()


def usage_rows(rows: Iterable[UsageRow]) -> dict[str, Any]:
    """The named parameters of USAGE_INPUT: one array a column, sorted by unique key.

    An empty input gives empty arrays, with which the expressions do nothing.
    """
    ordered = sorted(rows, key=lambda row: (row.organization_id, row.key, row.id))
    return {
        "usage_id": [row.id for row in ordered],
        "usage_organization_id": [row.organization_id for row in ordered],
        "usage_key": [row.key for row in ordered],
        "usage_content_hash": [row.content_hash() for row in ordered],
        "usage_meter": [row.meter for row in ordered],
        "usage_quantity": [row.quantity for row in ordered],
        "usage_project_id": [row.project_id for row in ordered],
        "usage_source_kind": [row.source_kind for row in ordered],
        "usage_source_id": [row.source_id for row in ordered],
        "usage_lease_id": [row.lease_id for row in ordered],
        "usage_occurred_at": [row.occurred_at for row in ordered],
    }
