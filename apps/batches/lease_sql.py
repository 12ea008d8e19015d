"""The statements of leases: raw SQL under the system role, each with the organization spelled out."""

from typing import Final

from apps.batches.claims import CLAIMABLE, IN_FLIGHT, PUMPABLE
from apps.core.scope import SYSTEM_ROLE
from apps.core.sql import UUID7

AT_ONCE: Final = "concurrency * coalesce((work ->> 'rows_per_call')::integer, 1)"
"""How many rows of a job may be in flight; its concurrency counts calls."""

BEGIN: Final = f"BEGIN; SET LOCAL ROLE {SYSTEM_ROLE}"

# Asked many times a second: all of it in one journey.
OPEN_JOBS: Final = f"""
{BEGIN};
SELECT id, organization_id, {PUMPABLE} AS claimable, {IN_FLIGHT} AS running, concurrency, priority,
       {AT_ONCE} AS at_once,
       (SELECT concurrent_runs FROM tenants_organization WHERE id = job.organization_id) AS organization_limit
FROM batches_batchjob AS job
WHERE status = 'in_progress' AND (pending > 0 OR running > 0) ORDER BY id;
SELECT count(*) FROM batches_pump WHERE started_at IS NOT NULL AND expires_at > now() AND slots > 0;
COMMIT
"""

JOB_FACTS: Final = """
SELECT id, organization_id, project_id, prompt_name, version_number, model, parameters, match_field,
       dataset_version_id,
       CASE WHEN stream_id IS NULL THEN coalesce(source_rows, total) ELSE 2147483647 END AS source_rows,
       stream_id IS NOT NULL AS of_stream, variant_count, livemode, api_key_id,
       cost_cap IS NOT NULL AS capped, work, delivery, deduplicate
FROM batches_batchjob WHERE id = %(job)s AND organization_id = %(organization)s
"""

VARIANTS: Final = """
SELECT version_number, model, parameters, match_field FROM batches_batchvariant
WHERE batch_id = %(job)s AND organization_id = %(organization)s ORDER BY position
"""

# Held until the claim commits: no other pump can change what concurrency and cap are checked against.
LOCK_JOB: Final = f"""
SELECT least({PUMPABLE}, {AT_ONCE} - {IN_FLIGHT}) AS room, running, next_number,
       CASE delivery WHEN 'direct' THEN least(total, coalesce(claim_limit, total)) ELSE 0 END AS last_number,
       pending - held - greatest(total - next_number + 1, 0) AS given_back, held,
       cost_cap - cost_used - cost_reserved AS money
FROM batches_batchjob AS job
WHERE id = %(job)s AND organization_id = %(organization)s AND status = 'in_progress' FOR NO KEY UPDATE
"""

ROW: Final = "mod((item.number - 1) / %(variants)s::integer, %(source_rows)s::integer) + 1"
SOURCE: Final = f"""
SELECT item.*, mod(item.number - 1, %(variants)s::integer) AS variant, source.variables, source.expected,
       source.metadata
FROM item JOIN datasets_datasetrow AS source
  ON source.dataset_version_id = %(dataset_version)s AND source.number = {ROW}
 AND source.organization_id = %(organization)s
ORDER BY item.number
"""

# Materialized, so that the few rows are found first: joined freely, the dataset is read from its start.
GIVEN_BACK: Final = f"""
WITH item AS MATERIALIZED (
    SELECT id AS item_id, number, round, attempts, fence FROM batches_batchitem
    WHERE organization_id = %(organization)s AND batch_id = %(job)s AND status = 'pending'
      AND (direct OR NOT %(only_direct)s) AND duplicate_of IS NULL
    ORDER BY number LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
{SOURCE}
"""

# Rows that nobody has taken yet have no item.
UNTAKEN: Final = f"""
WITH item AS MATERIALIZED (
    SELECT {UUID7} AS item_id, number, 0 AS round, 0 AS attempts, 0 AS fence
    FROM generate_series(%(first)s::integer, %(last)s::integer) AS number
)
{SOURCE}
"""

COUNT_TAKEN: Final = """
UPDATE batches_batchjob
SET pending = pending - %(rows)s, running = running + %(rows)s, cost_reserved = cost_reserved + %(money)s,
    next_number = next_number + %(added)s
WHERE id = %(job)s AND organization_id = %(organization)s
"""

TAKE_ROWS: Final = """
UPDATE batches_batchitem AS item
SET status = 'running', lease_owner = %(owner)s, attempts = item.attempts + 1, fence = input.fence,
    lease_expires_at = now() + make_interval(secs => %(seconds)s), cost_reserved = input.reserved
FROM json_to_recordset(%(taken)s::json) AS input(id uuid, fence integer, reserved numeric)
WHERE item.id = input.id AND item.organization_id = %(organization)s
"""

ADD_ROWS: Final = f"""
WITH counted AS ({COUNT_TAKEN})
INSERT INTO batches_batchitem (
    id, organization_id, batch_id, number, status, round, attempts, fence, lease_owner, lease_expires_at,
    cost_reserved, output, output_truncated, error_code, error_message, finish_reason, cost_status
)
SELECT input.id, %(organization)s, %(job)s, input.number, 'running', 0, 1, input.fence, %(owner)s,
       now() + make_interval(secs => %(seconds)s), input.reserved, '', FALSE, '', '', '', ''
FROM json_to_recordset(%(taken)s::json) AS input(id uuid, number integer, fence integer, reserved numeric)
"""

STOP_JOB: Final = """
UPDATE batches_batchjob SET status = 'cancelling', stop_reason = %(reason)s, cancelling_at = now()
WHERE id = %(job)s AND organization_id = %(organization)s AND status = 'in_progress'
"""

KEEP: Final = """
UPDATE batches_batchitem AS item SET lease_expires_at = now() + make_interval(secs => %(seconds)s)
FROM unnest(%(ids)s::uuid[], %(fences)s::integer[]) AS input(id, fence)
WHERE item.id = input.id AND item.fence = input.fence AND item.status = 'running'
RETURNING item.id
"""

# Also the sweeper's way of taking expired leases back; `%(status)s` is 'pending' or 'cancelled'.
GIVE_BACK: Final = f"""
back AS (
    UPDATE batches_batchitem AS item
    SET status = %(status)s::text, attempts = item.attempts - %(uncounted)s::integer,
        fence = item.fence + 1, lease_owner = NULL, lease_expires_at = NULL, cost_reserved = 0,
        finished_at = CASE WHEN %(status)s::text = 'cancelled' THEN now() END
    FROM lost WHERE item.id = lost.id
    RETURNING item.batch_id, item.organization_id, lost.cost_reserved
), sums AS (
    SELECT batch_id, organization_id, count(*) AS rows, sum(cost_reserved) AS reserved
    FROM back GROUP BY batch_id, organization_id
), locked AS (
    SELECT job.id FROM batches_batchjob AS job JOIN sums ON job.id = sums.batch_id
        AND job.organization_id = sums.organization_id
    ORDER BY job.id FOR NO KEY UPDATE OF job
), moved AS (
    UPDATE batches_batchjob AS job
    SET running = job.running - sums.rows, cost_reserved = job.cost_reserved - sums.reserved,
        pending = job.pending + CASE WHEN %(status)s::text = 'pending' THEN sums.rows ELSE 0 END,
        cancelled = job.cancelled + CASE WHEN %(status)s::text = 'cancelled' THEN sums.rows ELSE 0 END
    FROM sums JOIN locked ON locked.id = sums.batch_id
    WHERE job.id = sums.batch_id AND job.organization_id = sums.organization_id
    RETURNING job.id, job.organization_id, sums.rows,
              job.running = 0 AND (job.status <> 'in_progress' OR {CLAIMABLE} = 0) AS over
)"""

RELEASE: Final = f"""
WITH lost AS (
    SELECT item.id, item.cost_reserved
    FROM batches_batchitem AS item
    JOIN unnest(%(ids)s::uuid[], %(fences)s::integer[]) AS input(id, fence) ON item.id = input.id
    WHERE item.fence = input.fence AND item.status = 'running'
    ORDER BY item.id FOR NO KEY UPDATE OF item
), {GIVE_BACK}
SELECT organization_id, id FROM moved WHERE over
"""

STOPPED_JOBS: Final = """
SELECT id FROM batches_batchjob
WHERE id = ANY(%(jobs)s) AND status <> 'in_progress' AND stop_reason = 'requested'
"""

BEAT: Final = """
INSERT INTO batches_pump (id, rung_at, started_at, expires_at, slots, process, paces)
VALUES (
    %(pump)s, now(), now(), now() + make_interval(secs => %(seconds)s), %(slots)s, %(process)s,
    %(paces)s::jsonb
)
ON CONFLICT (id) DO UPDATE
SET expires_at = excluded.expires_at, slots = excluded.slots, paces = excluded.paces
"""

START: Final = """
UPDATE batches_pump
SET started_at = now(), expires_at = now() + make_interval(secs => %(seconds)s), process = %(process)s
WHERE id = %(pump)s AND started_at IS NULL
RETURNING slots
"""
