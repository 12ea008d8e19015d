"""Writes of billing that are not on a run's way: leases whose process died."""

from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from apps.billing import lease_sql
from apps.core.scope import system_scope


def sweep_leases() -> int:
    """Close the leases that have expired, giving back what the ledger does not show; returns how many.

    Also counts again those that expired within the hour (a slow process may have recorded after all)
    and forgets the ones closed a day ago. Safe to run twice and at the same time.
    """
    with system_scope(), connection.cursor() as cursor:
        closed = _for_each_quota(cursor, lease_sql.EXPIRED_LEASES, lease_sql.CLOSE_LEASES, {"expired": True})
        _for_each_quota(cursor, lease_sql.LATE_LEASES, lease_sql.RECOUNT_LEASES, {})
        cursor.execute(lease_sql.FORGET_LEASES)
    return closed


def _for_each_quota(cursor: CursorWrapper, find: str, change: str, more: Mapping[str, Any]) -> int:
    cursor.execute(find)
    found = 0
    for organization_id, quota_id, meter, leases in cursor.fetchall():
        values = {
            **more,
            "organization_id": organization_id,
            "quota_id": quota_id,
            "meter": meter,
            "leases": leases,
            "floor": lease_sql.event_floor(leases),
        }
        cursor.execute(lease_sql.LOCK_QUOTA_BY_ID, values)
        cursor.execute(change, values)
        found += len(leases)
    return found
