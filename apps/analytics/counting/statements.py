"""The SQL of roll-ups: from runs to the numbers of segments and periods, and adding them up. Pure.

Every statement has the same heart, `ADDITION`; they differ in which runs they put in. Its source gives the
columns of runs_run and beside them `counted` (whether the run itself counts, or only its scores),
`score_sum` and `score_count`.
"""

from typing import Final

from apps.analytics.histograms import bucket_sql

DIMENSIONS: Final = (
    "organization_id",
    "project_id",
    "source",
    "prompt_id",
    "version_id",
    "version_number",
    "label",
    "connection",
    "model",
    "api_key_id",
    "sandbox",
)
SUMS: Final = (
    "requests",
    "failed",
    "cancelled",
    "schema_failures",
    "cache_hits",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "unknown_tokens",
    "cost",
    "priced",
    "free",
    "unknown_price",
    "latency_sum",
    "feedback_sum",
    "feedback_count",
)
COUNTERS: Final = ("errors", "overrides")
ARRAYS: Final = ("latency_buckets", "latency_counts")
NUMBERS: Final = (*SUMS, *COUNTERS, *ARRAYS)
COLUMNS: Final = ("id", "organization_id", "segment_id", "grain", "starts_at", *NUMBERS)

FIVE_MINUTE_DAYS: Final = 8
"""Whole UTC days before today for which five-minute rows are kept: a week, and the day that it began in."""
HOUR_DAYS: Final = 400
"""The same of hour rows: a year and a month to compare it with. Day rows are kept for good."""

SLOT_MINUTES: Final = 5
"""The finest grain, of which the others are multiples."""

_TODAY: Final = "date_trunc('day', statement_timestamp() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
GRAINS: Final = f"""(VALUES
    ({SLOT_MINUTES}, {_TODAY} - interval '{FIVE_MINUTE_DAYS * 24} hours'),
    (60, {_TODAY} - interval '{HOUR_DAYS * 24} hours'),
    (1440, '-infinity')
) AS grains(grain, kept_since)"""
"""Each grain and since when its rows are kept, by the database's own clock."""


def _listed(names: tuple[str, ...], form: str = "{0}") -> str:
    return ", ".join(form.format(name) for name in names)


def _identity(row: str) -> str:
    # A row's text form quotes what it must, so different rows never look alike.
    return f"left(encode(sha256(convert_to(ROW({row})::text, 'UTF8')), 'hex'), 32)::uuid"


# The milliseconds in a UUIDv7 are its first twelve hexadecimal digits.
_MILLISECONDS: Final = "('x0000' || left(id::text, 8) || substr(id::text, 10, 4))::bit(64)::bigint"
_PART: Final = "organization_id, segment_id, slot"
_PLACE: Final = "organization_id, segment_id, grain, starts_at"
_NO_SUMS: Final = ", ".join(["NULL"] * len(SUMS))
# A run that waited for a provider's batch says nothing of how fast a model answers.
_TIMED: Final = (
    "counted AND status = 'succeeded' AND cached_from IS NULL AND NOT attempts @> '[{\"kind\": \"batch\"}]'"
)

# No joins after the first: nobody can tell the planner how many rows come here, and with a guess of one it
# chose nested loops that took minutes for 5,000 runs.
ADDITION: Final = f"""
fact AS MATERIALIZED (
    SELECT {_identity(_listed(DIMENSIONS))} AS segment_id, {_listed(DIMENSIONS)},
        {_MILLISECONDS} / {SLOT_MINUTES * 60_000} AS slot,
        counted::int AS requests,
        (counted AND status = 'failed')::int AS failed,
        (counted AND status = 'cancelled')::int AS cancelled,
        (counted AND error_code = 'output_invalid')::int AS schema_failures,
        (counted AND cached_from IS NOT NULL)::int AS cache_hits,
        CASE WHEN counted THEN coalesce(input_tokens, 0) ELSE 0 END AS input_tokens,
        CASE WHEN counted THEN coalesce(output_tokens, 0) ELSE 0 END AS output_tokens,
        CASE WHEN counted THEN coalesce(cached_tokens, 0) ELSE 0 END AS cached_tokens,
        (counted AND usage_origin <> 'none' AND (input_tokens IS NULL OR output_tokens IS NULL))::int
            AS unknown_tokens,
        CASE WHEN counted AND price_status IN ('priced', 'sandbox') THEN coalesce(price_amount, 0) ELSE 0 END
            AS cost,
        (counted AND price_status IN ('priced', 'sandbox'))::int AS priced,
        (counted AND price_status = 'free')::int AS free,
        (counted AND price_status = 'unknown')::int AS unknown_price,
        CASE WHEN {_TIMED} THEN greatest(latency_ms, 0) ELSE 0 END AS latency_sum,
        score_sum AS feedback_sum, score_count AS feedback_count,
        CASE WHEN counted AND status = 'failed' THEN error_code END AS error,
        CASE WHEN {_TIMED} THEN {bucket_sql("greatest(latency_ms, 0)")} END AS bucket,
        CASE WHEN counted AND overrides <> '{{}}' THEN overrides || 'any'::varchar END AS overridden
    FROM source
), part AS (
    SELECT {_PART}, {_listed(SUMS, "sum({0}) AS {0}")},
        NULL AS error, NULL AS name, NULL::int AS bucket, NULL::bigint AS n
    FROM fact GROUP BY {_PART}
    UNION ALL
    SELECT {_PART}, {_NO_SUMS}, error, NULL, NULL, count(*)
    FROM fact WHERE error IS NOT NULL GROUP BY {_PART}, error
    UNION ALL
    SELECT {_PART}, {_NO_SUMS}, NULL, name, NULL, count(*)
    FROM fact CROSS JOIN unnest(overridden) AS name WHERE overridden IS NOT NULL GROUP BY {_PART}, name
    UNION ALL
    SELECT {_PART}, {_NO_SUMS}, NULL, NULL, bucket, count(*)
    FROM fact WHERE bucket IS NOT NULL GROUP BY {_PART}, bucket
), piece AS (
    SELECT {_PLACE}, error, name, bucket, sum(n)::bigint AS n, {_listed(SUMS, "sum({0}) AS {0}")}
    FROM (
        SELECT part.*, grain, kept_since,
            to_timestamp((slot / (grain / {SLOT_MINUTES})) * grain * 60) AS starts_at
        FROM part CROSS JOIN {GRAINS}
    ) AS each WHERE starts_at >= kept_since GROUP BY {_PLACE}, error, name, bucket
), addition AS MATERIALIZED (
    SELECT {_identity("segment_id, grain, extract(epoch FROM starts_at)::bigint")} AS id, {_PLACE},
        {_listed(SUMS, "sum({0}) AS {0}")},
        coalesce(jsonb_object_agg(error, n) FILTER (WHERE error IS NOT NULL), '{{}}') AS errors,
        coalesce(jsonb_object_agg(name, n) FILTER (WHERE name IS NOT NULL), '{{}}') AS overrides,
        coalesce(array_agg(bucket ORDER BY bucket) FILTER (WHERE bucket IS NOT NULL), '{{}}')
            AS latency_buckets,
        coalesce(array_agg(n ORDER BY bucket) FILTER (WHERE bucket IS NOT NULL), '{{}}') AS latency_counts
    FROM piece GROUP BY {_PLACE}
)"""
"""Common table expressions after one named `source`: `fact`, a row each, and `addition`, rows of Rollup."""

SEGMENTS: Final = f"""
    INSERT INTO analytics_segment (id, {_listed(DIMENSIONS)})
    SELECT DISTINCT ON (segment_id) segment_id, {_listed(DIMENSIONS)} FROM fact ORDER BY segment_id
    ON CONFLICT (id) DO NOTHING"""

_MERGED_COUNTERS: Final = """{0} = CASE
        WHEN excluded.{0} = '{{}}' THEN rollup.{0}
        WHEN rollup.{0} = '{{}}' THEN excluded.{0}
        ELSE (
            SELECT jsonb_object_agg(key, n) FROM (
                SELECT key, sum(value::bigint) AS n FROM (
                    SELECT * FROM jsonb_each_text(rollup.{0})
                    UNION ALL SELECT * FROM jsonb_each_text(excluded.{0})
                ) AS joined GROUP BY key
            ) AS each
        ) END"""
_MERGED_LATENCY: Final = """(latency_buckets, latency_counts) = (
        SELECT coalesce(array_agg(bucket ORDER BY bucket), '{}'), coalesce(array_agg(n ORDER BY bucket), '{}')
        FROM (
            SELECT bucket, sum(n)::bigint AS n FROM unnest(
                rollup.latency_buckets || excluded.latency_buckets,
                rollup.latency_counts || excluded.latency_counts
            ) AS joined(bucket, n) GROUP BY bucket
        ) AS each)"""

ADD: Final = f"""
    INSERT INTO analytics_rollup AS rollup ({_listed(COLUMNS)})
    SELECT {_listed(COLUMNS)} FROM addition ORDER BY id
    ON CONFLICT (id) DO UPDATE SET
        {_listed(SUMS, "{0} = rollup.{0} + excluded.{0}")},
        {_listed(COUNTERS, _MERGED_COUNTERS)},
        {_MERGED_LATENCY}"""

REPLACE: Final = f"""
    INSERT INTO analytics_rollup ({_listed(COLUMNS)})
    SELECT {_listed(COLUMNS)} FROM addition WHERE id IN (SELECT id FROM difference) ORDER BY id
    ON CONFLICT (id) DO UPDATE SET {_listed(NUMBERS, "{0} = excluded.{0}")}"""
