"""Rows of the semantic cache: the nearest one, a new one, the purge. Inside a scope, by pgvector.

The extension compares; the table does without it. So every function that compares may be called only where
`can_compare` says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection

from apps.core import crypto
from apps.core.extensions import VECTOR, has_extension
from apps.core.ids import uuid7
from apps.core.scope import current_organization_id

TABLE: Final = "runs_cacheentry"
MOST_ENTRIES: Final = 10_000
"""Entries of one project; beyond that nothing is added until the purge has made room."""
LARGEST_BYTES: Final = 256 * 1024
# The nearest by their signatures, which are then compared exactly.
CANDIDATES: Final = 20
PURGED_AT_ONCE: Final = 2_000

# A signature has a bit for the sign of each number: counting bits that differ takes a twentieth of the time
# that reading and comparing embeddings takes. MATERIALIZED, so that no other row is ever compared.
_NEAREST: Final = f"""
WITH given AS (SELECT %(embedding)s::real[]::vector AS embedding), asked AS MATERIALIZED (
    SELECT embedding, binary_quantize(embedding) AS signature FROM given
), candidates AS MATERIALIZED (
    SELECT entry.id, entry.run_id, entry.embedding, entry.sealed
    FROM {TABLE} AS entry, asked
    WHERE entry.organization_id = %(organization)s AND entry.scope_hash = %(scope)s
      AND entry.expires_at > now() AND entry.created_at > now() - make_interval(secs => %(oldest)s)
    ORDER BY bit_count(entry.signature # asked.signature)
    LIMIT {CANDIDATES}
)
SELECT candidates.id, candidates.run_id, candidates.sealed,
       candidates.embedding::vector <=> asked.embedding AS distance
FROM candidates, asked ORDER BY distance LIMIT 1
"""
_ADD: Final = f"""
INSERT INTO {TABLE} (
    id, organization_id, project_id, prompt_id, version_id, run_id, scope_hash, embedding, signature, sealed,
    expires_at
)
SELECT %(id)s, %(organization)s, %(project)s, %(prompt)s, %(version)s, %(run)s, %(scope)s,
       %(embedding)s::real[], binary_quantize(%(embedding)s::real[]::vector), %(sealed)s,
       now() + make_interval(secs => %(seconds)s)
WHERE (
    SELECT count(*) FROM (
        SELECT FROM {TABLE} WHERE organization_id = %(organization)s AND project_id = %(project)s
        LIMIT {MOST_ENTRIES}
    ) AS kept
) < {MOST_ENTRIES}
"""
_PURGE_EXPIRED: Final = f"""
DELETE FROM {TABLE} WHERE id = ANY (ARRAY(
    SELECT id FROM {TABLE} WHERE expires_at <= now() ORDER BY expires_at LIMIT {PURGED_AT_ONCE}
    FOR UPDATE SKIP LOCKED
))
"""
# A tenth of a full project's entries, the oldest; and all of a project that stores no content any more.
_PURGE_FULL: Final = f"""
WITH project AS (
    SELECT entry.organization_id, entry.project_id, count(*) AS entries,
           bool_and(COALESCE(project.stores_content, organization.stores_content)) AS stores
    FROM {TABLE} AS entry
    JOIN tenants_project AS project ON project.id = entry.project_id
    JOIN tenants_organization AS organization ON organization.id = entry.organization_id
    GROUP BY entry.organization_id, entry.project_id
), due AS (
    SELECT oldest.id FROM project, LATERAL (
        SELECT entry.id FROM {TABLE} AS entry
        WHERE entry.organization_id = project.organization_id AND entry.project_id = project.project_id
        ORDER BY entry.id
        LIMIT CASE WHEN project.stores THEN project.entries - {MOST_ENTRIES * 9 // 10}
              ELSE project.entries END
    ) AS oldest
    WHERE NOT project.stores OR project.entries >= {MOST_ENTRIES}
    LIMIT {PURGED_AT_ONCE}
)
DELETE FROM {TABLE} WHERE id IN (SELECT id FROM due)
"""


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest entry: its run's id, its answer, and the cosine distance (0 is the same direction)."""

    run_id: UUID
    text: str
    distance: float


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An answer to keep, and the question it answers."""

    project_id: UUID
    prompt_id: UUID | None
    version_id: UUID | None
    run_id: UUID
    text: str
    scope_hash: bytes
    embedding: Sequence[float]
    seconds: int


def can_compare() -> bool:
    """Whether the database has the extension."""
    return has_extension(VECTOR)


def nearest(
    scope_hash: bytes, embedding: Sequence[float], *, oldest: int, threshold: float
) -> Nearest | None:
    """The nearest entry of the scope, if it is similar enough and of at most `oldest` seconds of age."""
    organization_id = current_organization_id()
    with connection.cursor() as cursor:
        cursor.execute(
            _NEAREST,
            {
                "organization": organization_id,
                "scope": scope_hash,
                "embedding": _array(embedding),
                "oldest": oldest,
            },
        )
        row: Any = cursor.fetchone()
    # Without a direction (all zeros) the distance is no number, and compares as false.
    if row is None or not 1 - row[3] >= threshold:
        return None
    entry_id, run_id, sealed, distance = row
    plain = crypto.unseal(
        bytes(sealed), organization_id=organization_id, table=TABLE, column="sealed", row_id=entry_id
    )
    return Nearest(run_id, orjson.loads(plain)["text"], max(0.0, float(distance)))


def add(entry: NewEntry) -> bool:
    """Keep an answer; False where it is too large or its project is full."""
    plain = orjson.dumps({"text": entry.text})
    if len(plain) > LARGEST_BYTES:
        return False
    organization_id, entry_id = current_organization_id(), uuid7()
    sealed = crypto.seal(
        plain, organization_id=organization_id, table=TABLE, column="sealed", row_id=entry_id
    )
    with connection.cursor() as cursor:
        cursor.execute(
            _ADD,
            {
                "id": entry_id,
                "organization": organization_id,
                "project": entry.project_id,
                "prompt": entry.prompt_id,
                "version": entry.version_id,
                "run": entry.run_id,
                "scope": entry.scope_hash,
                "embedding": _array(entry.embedding),
                "sealed": sealed,
                "seconds": entry.seconds,
            },
        )
        return bool(cursor.rowcount)


def purge() -> int:
    """Delete some of what has expired, is too much, or may not be kept any more; returns how many.

    Under the system role; call it until it returns 0.
    """
    deleted = 0
    with connection.cursor() as cursor:
        for statement in (_PURGE_EXPIRED, _PURGE_FULL):
            cursor.execute(statement)
            deleted += cursor.rowcount
    return deleted


def _array(embedding: Sequence[float]) -> str:
    """As Postgres reads an array: one text costs less to send than as many numbers."""
    return "{" + ",".join(map(repr, embedding)) + "}"
