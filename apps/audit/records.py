"""Pure parts of the trail: what is written of a value, digests, and the hash of an event in its chain."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, Final
from uuid import UUID

import orjson

from apps.audit.models import AuditEvent

LONG_VALUE: Final = 200
SALT_BYTES: Final = 16
LARGEST: Final = 2**63 - 1
FIRST_HASH: Final = bytes(32)
HASHED_FIELDS: Final = (
    "id",
    "organization_id",
    "occurred_at",
    "action",
    "outcome",
    "actor_kind",
    "actor_id",
    "actor_role",
    "object_type",
    "object_id",
    "object_name",
    "changes",
    "request_id",
    "detail_digests",
)

Changes = Mapping[str, tuple[object, object]]


def plain(value: object) -> Any:
    """A value as it stands in the trail: JSON, with everything unusual as text."""
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | str) or (isinstance(value, int) and abs(value) <= LARGEST):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain(item) for item in items]
    return str(value)


def split_changes(changes: Changes) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the event shows of each changed field, and the long values that only the detail holds."""
    shown: dict[str, Any] = {}
    long: dict[str, Any] = {}
    for field, (before, after) in sorted(changes.items()):
        pair = [plain(before), plain(after)]
        if max(len(orjson.dumps(value)) for value in pair) > LONG_VALUE:
            long[field], shown[field] = pair, "long"
        else:
            shown[field] = pair
    return shown, long


def digest(salt: bytes, content: Mapping[str, Any]) -> str:
    """The salted digest of a detail: it proves the detail without telling it."""
    return hashlib.sha256(salt + canonical(content)).hexdigest()


def canonical(value: Any) -> bytes:
    """One text for one value: sorted keys, no spaces."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def chain_hash(key: bytes, previous_hash: bytes, sequence: int, event: AuditEvent) -> bytes:
    """The hash of an event in its place; keyed, so that whoever writes to the database can't forge one."""
    content = {name: _stable(getattr(event, name)) for name in HASHED_FIELDS}
    body = canonical({"sequence": sequence, "event": content})
    return hmac.new(key, previous_hash + body, hashlib.sha256).digest()


def _stable(value: object) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, UUID) else value
