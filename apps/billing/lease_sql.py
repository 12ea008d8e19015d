"""The statements behind allowance leases, shared by the async book and the sweeper.

All run under the system role, in one transaction that locks the quota's row first: that order is what
keeps two of them from deadlocking.
"""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

FLOOR_MARGIN_MS: Final = 60_000

LOCK_QUOTA: Final = """
SELECT id, cap - used - reserved AS room FROM billing_quota
WHERE organization_id = %(organization_id)s AND meter = %(meter)s AND period_start = %(period_start)s
FOR UPDATE
"""

LOCK_QUOTA_BY_ID: Final = """
SELECT id FROM billing_quota WHERE organization_id = %(organization_id)s AND id = %(quota_id)s FOR UPDATE
"""

CREATE_QUOTA: Final = """
INSERT INTO billing_quota (id, organization_id, meter, period_start, cap)
VALUES (%(id)s, %(organization_id)s, %(meter)s, %(period_start)s, %(cap)s)
ON CONFLICT (organization_id, meter, period_start) DO NOTHING
"""

TAKE_LEASE: Final = """
WITH taken AS (
    UPDATE billing_quota SET reserved = reserved + %(amount)s
    WHERE organization_id = %(organization_id)s AND id = %(quota_id)s
        AND used + reserved + %(amount)s <= cap
    RETURNING id
)
INSERT INTO billing_allowancelease (id, organization_id, quota_id, holder, amount, expires_at)
SELECT %(id)s, %(organization_id)s, id, %(holder)s, %(amount)s, now() + make_interval(secs => %(seconds)s)
FROM taken RETURNING id
"""

RENEW_LEASES: Final = """
UPDATE billing_allowancelease SET expires_at = now() + make_interval(secs => %(seconds)s)
WHERE id = ANY(%(leases)s) AND closed_at IS NULL RETURNING id
"""

SHRINK_LEASE: Final = """
WITH shrunk AS (
    UPDATE billing_allowancelease SET amount = amount - %(amount)s
    WHERE organization_id = %(organization_id)s AND id = %(lease_id)s AND closed_at IS NULL
    RETURNING quota_id
)
UPDATE billing_quota SET reserved = reserved - %(amount)s FROM shrunk WHERE billing_quota.id = quota_id
"""

# `used` grows by what the ledger holds, not by what a process remembers: so nothing is lost in a crash.
CLOSE_LEASES: Final = """
WITH recorded AS (
    SELECT lease.id, coalesce(sum(event.quantity), 0)::bigint AS quantity
    FROM billing_allowancelease lease
    LEFT JOIN billing_usageevent event ON event.organization_id = lease.organization_id
        AND event.meter = %(meter)s AND event.id >= %(floor)s AND event.lease_id = lease.id
    WHERE lease.organization_id = %(organization_id)s AND lease.id = ANY(%(leases)s)
        AND lease.closed_at IS NULL
    GROUP BY lease.id
), closed AS (
    UPDATE billing_allowancelease lease
    SET counted = recorded.quantity, closed_at = now(), expired = %(expired)s
    FROM recorded WHERE lease.id = recorded.id
    RETURNING lease.amount, lease.counted
), total AS (SELECT sum(amount) AS amount, sum(counted) AS counted FROM closed)
UPDATE billing_quota SET reserved = reserved - total.amount, used = used + total.counted
FROM total WHERE billing_quota.id = %(quota_id)s AND total.amount IS NOT NULL
"""

EXPIRED_LEASES: Final = """
SELECT lease.organization_id, lease.quota_id, quota.meter, array_agg(lease.id ORDER BY lease.id)
FROM billing_allowancelease lease JOIN billing_quota quota ON quota.id = lease.quota_id
WHERE lease.closed_at IS NULL AND lease.expires_at < now()
GROUP BY lease.organization_id, lease.quota_id, quota.meter ORDER BY lease.quota_id
"""

EXPIRED_LEASES_OF_QUOTA: Final = """
SELECT id FROM billing_allowancelease
WHERE organization_id = %(organization_id)s AND quota_id = %(quota_id)s
    AND closed_at IS NULL AND expires_at < now()
"""

# A process that was merely slow may record under a lease after it expired.
LATE_LEASES: Final = """
SELECT lease.organization_id, lease.quota_id, quota.meter, array_agg(lease.id ORDER BY lease.id)
FROM billing_allowancelease lease JOIN billing_quota quota ON quota.id = lease.quota_id
WHERE lease.expired AND lease.closed_at > now() - interval '1 hour'
GROUP BY lease.organization_id, lease.quota_id, quota.meter ORDER BY lease.quota_id
"""

RECOUNT_LEASES: Final = """
WITH recorded AS (
    SELECT event.lease_id AS id, sum(event.quantity)::bigint AS quantity
    FROM billing_usageevent event
    WHERE event.organization_id = %(organization_id)s AND event.meter = %(meter)s
        AND event.id >= %(floor)s AND event.lease_id = ANY(%(leases)s)
    GROUP BY event.lease_id
), late AS (
    SELECT lease.id, recorded.quantity, recorded.quantity - lease.counted AS more
    FROM billing_allowancelease lease JOIN recorded ON recorded.id = lease.id
    WHERE lease.organization_id = %(organization_id)s AND recorded.quantity > lease.counted
), noted AS (
    UPDATE billing_allowancelease lease SET counted = late.quantity
    FROM late WHERE lease.id = late.id RETURNING late.more
), total AS (SELECT sum(more) AS more FROM noted)
UPDATE billing_quota SET used = used + total.more
FROM total WHERE billing_quota.id = %(quota_id)s AND total.more IS NOT NULL
"""

FORGET_LEASES: Final = """
DELETE FROM billing_allowancelease WHERE closed_at < now() - interval '1 day'
"""


def event_floor(leases: Iterable[UUID]) -> UUID:
    """The lowest id that an event under one of these leases can have, allowing for clocks that differ."""
    milliseconds = min(lease.int >> 80 for lease in leases) - FLOOR_MARGIN_MS
    return UUID(int=max(milliseconds, 0) << 80)
