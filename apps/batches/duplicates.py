"""Rows that are equal are answered once, in jobs that ask for it. Raw SQL under the system role.

Equal are rows whose values of the prompt's variables are, for one variant. The first to be claimed leads; the
others follow it: they wait, pending with `duplicate_of`, and get a copy of its answer in the transaction that
completes it, at no cost. One that comes later is answered in the transaction that would claim it. A leader
that loses its lease keeps its followers; when a person retries failed rows, who leads is decided anew.

All of it happens under the job's lock: a claim holds it from its first statement, a completion from its own
update of the job on, before it looks for followers.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import UUID

import orjson
from psycopg import AsyncConnection
from psycopg.rows import namedtuple_row

from apps.batches.claims import JobFacts, Row
from apps.batches.matching import matches

LOOKAHEAD: Final = 256
MOST_LOOKED_AT: Final = 2_048
"""How many rows one claim goes through in search of such as are new."""

MOST_HELD: Final = 10_000
"""How many rows of a job may wait for others: one transaction answers them."""

_NAMES: Final = """
SELECT DISTINCT variable ->> 'name' AS name
FROM prompts_promptversion AS version, jsonb_array_elements(version.variables) AS variable
WHERE version.organization_id = %(organization)s AND version.id IN (
    SELECT prompt_version_id FROM batches_batchjob
    WHERE id = %(job)s AND organization_id = %(organization)s
    UNION SELECT prompt_version_id FROM batches_batchvariant
    WHERE batch_id = %(job)s AND organization_id = %(organization)s
)
"""

_LEADERS: Final = """
SELECT input_digest AS digest, number, status, round FROM batches_batchitem
WHERE organization_id = %(organization)s AND batch_id = %(job)s AND input_digest = ANY(%(digests)s)
  AND duplicate_of IS NULL AND status <> 'cancelled'
ORDER BY number
"""

_HOLD: Final = """
UPDATE batches_batchitem AS item SET duplicate_of = input.leader
FROM unnest(%(ids)s::uuid[], %(leaders)s::integer[]) AS input(id, leader)
WHERE item.id = input.id AND item.organization_id = %(organization)s
"""

_ADD_HELD: Final = """
INSERT INTO batches_batchitem (
    id, organization_id, batch_id, number, status, round, attempts, fence, duplicate_of, input_digest,
    cost_reserved, output, output_truncated, error_code, error_message, finish_reason, cost_status
)
SELECT input.id, %(organization)s, %(job)s, input.number, 'pending', 0, 0, 0, input.leader, input.digest,
       0, '', FALSE, '', '', '', ''
FROM unnest(%(ids)s::uuid[], %(numbers)s::integer[], %(leaders)s::integer[], %(digests)s::bytea[])
  AS input(id, number, leader, digest)
"""

_NOTE_DIGESTS: Final = """
UPDATE batches_batchitem AS item SET input_digest = input.digest
FROM unnest(%(ids)s::uuid[], %(digests)s::bytea[]) AS input(id, digest)
WHERE item.id = input.id AND item.organization_id = %(organization)s
"""

_COUNT_HELD: Final = """
UPDATE batches_batchjob SET held = held + %(held)s, next_number = next_number + %(added)s
WHERE id = %(job)s AND organization_id = %(organization)s
"""

_FOLLOWERS: Final = """
SELECT item.id, mod(item.number - 1, job.variant_count) AS variant, item.duplicate_of AS leader,
       source.expected
FROM batches_batchitem AS item
JOIN batches_batchjob AS job ON job.id = item.batch_id AND job.organization_id = item.organization_id
LEFT JOIN datasets_datasetrow AS source ON source.organization_id = item.organization_id
    AND source.dataset_version_id = job.dataset_version_id
    AND source.number = mod((item.number - 1) / job.variant_count, coalesce(job.source_rows, job.total)) + 1
WHERE item.organization_id = %(organization)s AND item.batch_id = %(job)s AND item.status = 'pending'
  AND item.duplicate_of = ANY(%(leaders)s)
ORDER BY item.id FOR NO KEY UPDATE OF item
"""

_FINISHED_LEADERS: Final = """
SELECT number, status, output, parsed FROM batches_batchitem
WHERE organization_id = %(organization)s AND batch_id = %(job)s AND number = ANY(%(leaders)s)
  AND duplicate_of IS NULL AND status IN ('succeeded', 'failed')
"""

# A copy costs nothing and was never sent: it has no tokens and no latency.
_COPY: Final = """
WITH copied AS (
    UPDATE batches_batchitem AS item
    SET status = leader.status, run_id = leader.run_id, output = leader.output,
        output_truncated = leader.output_truncated, parsed = leader.parsed, matches = input.matches,
        error_code = leader.error_code, error_message = leader.error_message,
        finish_reason = leader.finish_reason, cost = 0,
        cost_status = CASE WHEN job.sandbox THEN 'sandbox' ELSE 'free' END, finished_at = clock_timestamp()
    FROM unnest(%(ids)s::uuid[], %(matches)s::boolean[]) AS input(id, matches), batches_batchitem AS leader,
         batches_batchjob AS job
    WHERE item.id = input.id AND item.organization_id = %(organization)s AND item.status = 'pending'
      AND leader.organization_id = %(organization)s AND leader.batch_id = %(job)s
      AND leader.number = item.duplicate_of
      AND job.id = %(job)s AND job.organization_id = %(organization)s
    RETURNING item.number, item.status, item.matches
), moved AS (
    UPDATE batches_batchjob AS job
    SET pending = job.pending - sums.rows, held = job.held - sums.rows,
        duplicates = job.duplicates + sums.rows, succeeded = job.succeeded + sums.succeeded,
        failed = job.failed + sums.rows - sums.succeeded, matched = job.matched + sums.matched,
        compared = job.compared + sums.compared
    FROM (
        SELECT count(*) AS rows, count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
               count(*) FILTER (WHERE matches) AS matched, count(matches) AS compared FROM copied
    ) AS sums
    WHERE job.id = %(job)s AND job.organization_id = %(organization)s
    RETURNING job.variant_count
)
UPDATE batches_batchvariant AS variant
SET succeeded = variant.succeeded + sums.succeeded, failed = variant.failed + sums.rows - sums.succeeded,
    matched = variant.matched + sums.matched, compared = variant.compared + sums.compared
FROM (
    SELECT mod(copied.number - 1, moved.variant_count) AS position, count(*) AS rows,
           count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
           count(*) FILTER (WHERE matches) AS matched, count(matches) AS compared
    FROM copied, moved GROUP BY 1
) AS sums
WHERE variant.organization_id = %(organization)s AND variant.batch_id = %(job)s
  AND variant.position = sums.position
"""

Connection = AsyncConnection[Any]
Fetch = Callable[[int, bool, int], Awaitable[Sequence[Row]]]
"""Rows that wait, from a number on: with those that were given back or without, and how many at most."""


class Standing(Protocol):
    """How the locked job stands."""

    next_number: int
    held: int


@dataclass(frozen=True, slots=True)
class Follower:
    """A row that gets another's answer."""

    row: Row
    digest: bytes
    leader: int


@dataclass(slots=True)
class Sorted:
    """The waiting rows of one claim in their order: those that lead, with digests, and those that follow."""

    leaders: list[Row] = field(default_factory=list)
    followers: list[Follower] = field(default_factory=list)
    digests: dict[UUID, bytes] = field(default_factory=dict)
    order: list[UUID] = field(default_factory=list)

    def cut_after(self, claimed: int) -> None:
        """Keep what stands before the first leader that could not be claimed."""
        if claimed == len(self.leaders):
            return
        end = self.order.index(self.leaders[claimed].item_id)
        kept = set(self.order[:end])
        self.leaders = self.leaders[:claimed]
        self.followers = [each for each in self.followers if each.row.item_id in kept]


async def distinct_names(connection: Connection, job_id: UUID, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """The variables that the job's prompt versions read: what rows are compared by. () compares all.

    Where several rows share a call, the prompt's one variable holds them as a whole; where one is cut, the
    prompt that puts its answers together reads variables of its own.
    """
    if facts["work"].get("kind") in ("multi_row", "chunked"):
        return ()
    rows = await _fetch(connection, _NAMES, job=job_id, organization=facts["organization_id"])
    return tuple(sorted(row.name for row in rows))


async def sort_out(
    connection: Connection, job: JobFacts, fetch: Fetch, locked: Standing, limit: int
) -> Sorted:
    """Go through rows that wait until `limit` new ones are found, or more than enough that follow."""
    found = Sorted()
    next_number, looked_at, wanted = locked.next_number, 0, limit
    by_digest: dict[bytes, int] = {}
    while looked_at < MOST_LOOKED_AT:
        rows = await fetch(next_number, looked_at == 0, wanted)
        digests = {row.item_id: digest_of(job, row) for row in rows}
        known = await _known(connection, job, digests.values())
        for row in rows:
            digest = digests[row.item_id]
            leader = by_digest.get(digest) or _leader(known.get(digest, ()), row)
            if leader is None and len(found.leaders) == limit:
                return found
            if leader is not None and locked.held + len(found.followers) >= MOST_HELD:
                return found
            found.order.append(row.item_id)
            found.digests[row.item_id] = digest
            if leader is None:
                found.leaders.append(row)
            else:
                found.followers.append(Follower(row, digest, leader))
            by_digest[digest] = leader or row.number
        taken = [row.number for row in rows if row.number >= next_number]
        if len(rows) < wanted or not taken:
            return found
        next_number, looked_at, wanted = max(taken) + 1, looked_at + len(rows), LOOKAHEAD
    return found


async def hold(connection: Connection, job: JobFacts, found: Sorted, next_number: int) -> bool:
    """Keep digests and followers of a claim; True if some of them have their answer already."""
    names = {"job": job.id, "organization": job.organization_id}
    leading = [row.item_id for row in found.leaders]
    if leading:
        digests = [found.digests[item_id] for item_id in leading]
        await connection.execute(_NOTE_DIGESTS, names | {"ids": leading, "digests": digests})
    if not found.followers:
        return False
    again = [each for each in found.followers if each.row.number < next_number]
    added = [each for each in found.followers if each.row.number >= next_number]
    for statement, followers in ((_HOLD, again), (_ADD_HELD, added)):
        if followers:
            await connection.execute(statement, names | _arrays(followers))
    counted = {"held": len(found.followers), "added": len(added)}
    await connection.execute(_COUNT_HELD, names | counted)
    fields = {number: variant.match_field for number, variant in enumerate(job.variants)}
    leaders = {each.leader for each in found.followers}
    return await answer(connection, job.organization_id, job.id, leaders, fields)


async def answer(
    connection: Connection,
    organization_id: UUID,
    job_id: UUID,
    leaders: Iterable[int],
    match_fields: Mapping[int, str],
) -> bool:
    """Copy the answers of those leaders that are finished to the rows that wait for them; True if any was.

    `match_fields` by position of the variant.
    """
    names = {"organization": organization_id, "job": job_id, "leaders": sorted(leaders)}
    followers = await _fetch(connection, _FOLLOWERS, **names)
    if not followers:
        return False
    finished = {row.number: row for row in await _fetch(connection, _FINISHED_LEADERS, **names)}
    found = [row for row in followers if row.leader in finished]
    agreed = []
    for row in found:
        leader = finished[row.leader]
        agrees = matches(row.expected, leader.output, leader.parsed, match_fields.get(row.variant, ""))
        agreed.append(agrees if leader.status == "succeeded" else None)
    if found:
        await connection.execute(_COPY, names | {"ids": [row.id for row in found], "matches": agreed})
    return bool(found)


def digest_of(job: JobFacts, row: Row) -> bytes:
    """What equal rows have in common."""
    names = job.distinct_by
    values = {name: row.variables.get(name) for name in names} if names else row.variables
    try:
        told = orjson.dumps([row.variant, values], option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # 1e30 comes back from Postgres as a whole number, which orjson does not write.
        told = json.dumps([row.variant, values], sort_keys=True).encode()
    return hashlib.sha256(told).digest()


async def _known(connection: Connection, job: JobFacts, digests: Iterable[bytes]) -> dict[bytes, list[Any]]:
    """The items that lead rows of these digests, or might."""
    wanted = list(set(digests))
    rows = []
    if wanted:
        rows = await _fetch(
            connection, _LEADERS, job=job.id, organization=job.organization_id, digests=wanted
        )
    known: dict[bytes, list[Any]] = {}
    for row in rows:
        known.setdefault(bytes(row.digest), []).append(row)
    return known


def _leader(candidates: Sequence[Any], row: Row) -> int | None:
    """The number of the row that answers for this one.

    One that waits leads only those after it, so that no two follow each other; one that failed in an earlier
    round leads nobody.
    """
    for each in candidates:
        if each.number == row.number or (each.status == "pending" and each.number > row.number):
            continue
        if each.status == "failed" and each.round < row.round:
            continue
        return int(each.number)
    return None


def _arrays(followers: Sequence[Follower]) -> dict[str, list[Any]]:
    ordered = sorted(followers, key=lambda each: each.row.item_id)
    return {
        "ids": [each.row.item_id for each in ordered],
        "numbers": [each.row.number for each in ordered],
        "leaders": [each.leader for each in ordered],
        "digests": [each.digest for each in ordered],
    }


async def _fetch(connection: Connection, query: str, **parameters: Any) -> list[Any]:
    async with connection.cursor(row_factory=namedtuple_row) as cursor:
        await cursor.execute(query, parameters)
        return await cursor.fetchall()
