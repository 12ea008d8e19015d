"""A month of a customer's runs, in bulk: what benches of roll-ups, analytics and alerts measure on.

`write_history` writes rows past the recorder, under the system role, into partitions that it makes for the
past. Prompts, versions, labels and keys are real, so pages find their names.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, Final
from uuid import UUID

from django.db import connection, connections

from apps.analytics.counting.history import count_history
from apps.analytics.counting.recounting import recount_day
from apps.core.scope import organization_scope, system_scope
from apps.prompts.models import PromptVersion
from apps.tenants.models import Project
from tests.factories import make_api_key, make_prompt

ROWS_AT_ONCE: Final = 50_000
SLOTS: Final = 1_000
GROUP: Final = 64
PROMPTS: Final = {
    "support/answer": 34,
    "support/triage": 22,
    "orders/refund": 14,
    "search/rewrite": 12,
    "legal/summary": 5,
    "marketing/subject-line": 3,
    "": 10,  # chat completions without a prompt
}
# Version number, version number in the first half of the time, label, weight.
VERSIONS: Final = ((2, 1, "production", 80), (3, 3, "staging", 12), (1, 1, "", 8))
MODELS: Final = {
    "openai/gpt-5-mini": 50,
    "anthropic/claude-sonnet-4-5": 30,
    "openai/gpt-5": 10,
    "local/llama-3.3-70b": 5,  # whose price nobody knows
    "sandbox/standard": 5,
}
# Source, and the key that it comes with.
SOURCES: Final = {("gateway", 0): 50, ("gateway", 1): 24, ("batch", 2): 20, ("playground", None): 6}
# Calls an hour of the day, and a day of the week: people sleep and have weekends.
HOURS: Final = (2, 1, 1, 1, 1, 2, 4, 7, 11, 14, 15, 14, 12, 13, 15, 15, 14, 12, 9, 7, 6, 5, 4, 3)
WEEKDAYS: Final = (10, 11, 11, 11, 9, 4, 3)

_PARTITION: Final = """
DO $make$
DECLARE
    parent text := '{parent}';
    week date := '{week}';
    name text := parent || '_p' || to_char(week, 'YYYYMMDD');
    low uuid := rpad(lpad(to_hex(extract(epoch FROM week)::bigint * 1000), 12, '0'), 32, '0')::uuid;
    high uuid := rpad(lpad(to_hex(extract(epoch FROM week + 7)::bigint * 1000), 12, '0'), 32, '0')::uuid;
BEGIN
    IF to_regclass(format('public.%I', name)) IS NULL THEN
        EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING ALL)', name, parent);
        EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
            parent, name, low, high);
    END IF;
END $make$
"""

_PROFILE_COLUMNS: Final = {
    "slot": "int",
    "prompt_id": "uuid",
    "prompt_name": "text",
    "version_id": "uuid",
    "version_number": "int",
    "earlier_id": "uuid",
    "earlier_number": "int",
    "label": "text",
    "model": "text",
    "source": "text",
    "api_key_id": "uuid",
}
_LATENCY: Final = "least(120000, exp(6.6 + 0.55 * sqrt(-2 * ln(1 - chance[1])) * cos(6.2832 * chance[2])))"

_WRITE: Final = f"""
WITH profile AS (
    SELECT * FROM unnest({", ".join(f"%({n})s::{k}[]" for n, k in _PROFILE_COLUMNS.items())})
        AS given({", ".join(_PROFILE_COLUMNS)})
), thrown AS MATERIALIZED (
    SELECT n, (%(moments)s::timestamptz[])[1 + floor(random() * %(hours)s)::int]
            + random() * interval '1 hour' AS moment,
        1 + floor(random() * {SLOTS})::int AS slot,
        ARRAY[random(), random(), random(), random(), random(), random(), random(), random()] AS chance,
        md5(random()::text || n) AS noise
    FROM generate_series(1, %(rows)s) AS n
), called AS MATERIALIZED (
    SELECT thrown.*, profile.*, moment < %(middle)s AS is_early, model LIKE 'sandbox/%%' AS sandbox,
        {_LATENCY}::int AS latency_ms, 40 + (chance[3] * chance[3] * 3000)::int AS given,
        5 + (chance[4] * chance[4] * 800)::int AS answered,
        CASE WHEN chance[5] < 0.965 THEN 'succeeded' WHEN chance[5] < 0.995 THEN 'failed' ELSE 'cancelled' END
            AS status,
        CASE WHEN chance[5] < 0.965 THEN '' WHEN chance[5] < 0.977 THEN 'provider_timeout'
            WHEN chance[5] < 0.984 THEN 'provider_rate_limited' WHEN chance[5] < 0.987 THEN 'provider_failed'
            WHEN chance[5] < 0.995 THEN 'output_invalid' ELSE 'cancelled' END AS error_code,
        chance[6] < 0.06 AND chance[5] < 0.965 AS is_cached
    FROM thrown JOIN profile USING (slot)
), run_written AS (
    INSERT INTO runs_run (
        id, organization_id, project_id, created_at, source, prompt_id, prompt_name, version_id,
        version_number, label, connection, model, api_key_id, request_id, status, error_code, error_type,
        error_message, error_status, input_tokens, output_tokens, cached_tokens, usage_origin, price_status,
        price_amount, price_snapshot, latency_ms, first_token_ms, finish_reason, attempts,
        provider_request_id, sandbox, livemode, metadata, end_user, cached_from, overrides
    )
    SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '7' || left(noise, 3)
            || '8' || substr(noise, 4, 15))::uuid,
        %(organization)s, %(project)s, moment, source, prompt_id, prompt_name,
        CASE WHEN is_early THEN earlier_id ELSE version_id END,
        CASE WHEN is_early THEN earlier_number ELSE version_number END,
        label, split_part(model, '/', 1), model, api_key_id, '', status, error_code,
        CASE WHEN error_code = '' THEN '' ELSE 'provider_error' END, '', NULL,
        CASE WHEN is_cached THEN 0 WHEN is_answered THEN given END,
        CASE WHEN is_cached THEN 0 WHEN is_answered THEN answered END,
        CASE WHEN is_cached OR is_answered THEN 0 END,
        CASE WHEN is_cached THEN 'cache' WHEN is_answered THEN 'provider' ELSE 'none' END,
        CASE WHEN is_cached OR NOT is_answered THEN 'none' WHEN sandbox THEN 'sandbox'
            WHEN model LIKE 'local/%%' THEN 'unknown' WHEN chance[7] < 0.01 THEN 'free' ELSE 'priced' END,
        CASE WHEN is_cached THEN 0 WHEN NOT is_answered OR model LIKE 'local/%%' THEN NULL
            WHEN chance[7] < 0.01 AND NOT sandbox THEN 0
            ELSE round((given * 0.25 + answered * 2.0)::numeric / 1000000, 10) END,
        '{{}}', CASE WHEN is_cached THEN 3 + (chance[1] * 9)::int ELSE latency_ms END, NULL,
        CASE WHEN status = 'succeeded' THEN 'stop' ELSE '' END, '[]', '', sandbox, true, '{{}}',
        'customer-' || (1 + chance[8] * 499)::int,
        CASE WHEN is_cached THEN '00000000-0000-7000-8000-000000000001'::uuid END,
        CASE WHEN version_id IS NOT NULL AND chance[8] < 0.2 THEN '{{variable:tone}}'::text[]
            WHEN version_id IS NOT NULL AND chance[8] < 0.25
            THEN '{{parameter:temperature,variable:tone}}'::text[] ELSE '{{}}' END
    FROM (SELECT *, status = 'succeeded' OR error_code = 'output_invalid' AS is_answered FROM called) AS each
    RETURNING id, organization_id, project_id, prompt_id, version_id, created_at, latency_ms
), voice AS MATERIALIZED (
    SELECT *, 1 + (sqrt(random()) * 4)::int AS score FROM run_written WHERE random() < %(feedback)s
), feedback_written AS (
    INSERT INTO runs_feedback (id, organization_id, project_id, run_id, prompt_id, version_id, giver,
        giver_name, score, created_at, updated_at)
    SELECT gen_random_uuid(), organization_id, project_id, id, prompt_id, version_id, 'told:bench', 'bench',
        score, created_at + interval '5 minutes', created_at + interval '5 minutes'
    FROM voice
), waiting_runs AS (
    INSERT INTO runs_uncountedruns (id, organization_id, run_ids)
    SELECT (array_agg(id ORDER BY id))[1], organization_id, array_agg(id ORDER BY id)
    FROM (SELECT *, row_number() OVER () / {GROUP} AS number FROM run_written) AS each
    WHERE %(waiting)s GROUP BY organization_id, number
), waiting_feedback AS (
    INSERT INTO runs_uncountedfeedback (id, organization_id, run_id, score_sum, score_count)
    SELECT gen_random_uuid(), organization_id, id, score, 1 FROM voice WHERE %(waiting)s
)
SELECT count(*) FROM run_written
"""


@dataclass(frozen=True, slots=True)
class Cast:
    """What the runs of a project are called with."""

    project: Project
    versions: dict[str, dict[int, PromptVersion]]
    keys: tuple[UUID, ...]


def make_cast(project: Project) -> Cast:
    """The prompts with three versions each, their labels and three keys."""
    labels = {"production": 2, "staging": 3}
    prompts = {
        name: make_prompt(project=project, name=name, versions=3, labels=labels) for name in PROMPTS if name
    }
    keys = tuple(make_api_key(project=project, name=name)[0].id for name in ("Website", "App", "Nightly"))
    with organization_scope(project.organization_id):
        versions = {
            name: {version.number: version for version in PromptVersion.objects.filter(prompt=prompt)}
            for name, prompt in prompts.items()
        }
    return Cast(project, versions, keys)


def write_history(
    cast: Cast,
    *,
    rows: int = 1_000_000,
    days: int = 30,
    feedback: float = 0.02,
    waiting: bool = False,
    seed: float = 0.5,
) -> None:
    """Runs of the last `days` days, in no order of time at all.

    With `waiting` they wait for the roll-up job in groups of 64, as the recorder leaves them; without, only
    `roll_up` counts them.
    """
    now = datetime.now(UTC)
    make_past_partitions(now - timedelta(days=days))
    moments = _moments(now, days)
    values: dict[str, Any] = _profiles(cast) | {
        "moments": moments,
        "hours": len(moments),
        "middle": now - timedelta(days=days / 2),
        "organization": cast.project.organization_id,
        "project": cast.project.id,
        "feedback": feedback,
        "waiting": waiting,
    }
    left, turn = rows, 0
    while left > 0:
        with system_scope(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '5min'")
            cursor.execute("SELECT setseed(%s)", [(seed + turn / 1_000) % 1])
            cursor.execute(_WRITE, {**values, "rows": min(left, ROWS_AT_ONCE)})
        left -= ROWS_AT_ONCE
        turn += 1
    _analyze()


def roll_up(days: int = 30) -> None:
    """The roll-ups of what `write_history` wrote without `waiting`, a day a statement."""
    count_history(seconds=0)
    today = datetime.now(UTC).date()
    for number in range(days + 1):
        recount_day(today - timedelta(days=number), repair=True)
    _analyze()


def make_past_partitions(since: datetime) -> None:
    """The weeks from `since` on that partitions are missing for: migrations make those of the future only."""
    monday = since.date() - timedelta(days=since.weekday())
    with connections["owner"].cursor() as cursor:
        while monday < datetime.now(UTC).date():
            for parent in ("runs_run", "runs_runpayload", "billing_usageevent"):
                cursor.execute(_PARTITION.format(parent=parent, week=monday))
            monday += timedelta(days=7)


def _analyze() -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE runs_run, runs_feedback, analytics_segment, analytics_rollup")


def _moments(now: datetime, days: int) -> list[datetime]:
    """Beginnings of hours, as often as there are calls in them; the hour that has begun is left out."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    hours = (this_hour - timedelta(hours=number) for number in range(1, days * 24))
    return [hour for hour in hours for _ in range(HOURS[hour.hour] * WEEKDAYS[hour.weekday()])]


def _profiles(cast: Cast) -> dict[str, list[Any]]:
    """A thousand slots, each with what a call in it is made with, as the arrays of the statement."""
    weighted = [(_weight(*each), each) for each in product(PROMPTS, VERSIONS, MODELS, SOURCES)]
    total = sum(weight for weight, _ in weighted)
    chosen: list[tuple[Any, ...]] = []
    passed = 0.0
    for weight, each in weighted:
        passed += weight
        while (len(chosen) + 0.5) * total / SLOTS < passed:
            chosen.append(each)
    columns = list(zip(*(_slot(cast, number, *each) for number, each in enumerate(chosen, 1)), strict=True))
    return {name: list(column) for name, column in zip(_PROFILE_COLUMNS, columns, strict=True)}


def _weight(name: str, version: Any, model: str, source: Any) -> float:
    if not name and version is not VERSIONS[0]:
        return 0.0
    # A prompt has a model that most of its calls use: not the same for all.
    shift = list(PROMPTS).index(name) % 2
    models = list(MODELS)
    favourite = MODELS[models[(models.index(model) + shift) % 2]] if model in models[:2] else MODELS[model]
    return PROMPTS[name] * (version[3] if name else 100) * favourite * SOURCES[source]


def _slot(cast: Cast, number: int, name: str, version: Any, model: str, source: Any) -> Iterator[Any]:
    kind, key = source
    of_prompt = cast.versions.get(name)
    now, earlier, label, _ = version
    yield number
    yield of_prompt[now].prompt_id if of_prompt else None
    yield name
    for each in (now, earlier):
        yield of_prompt[each].pk if of_prompt else None
        yield each if of_prompt else None
    yield label if of_prompt else ""
    yield model
    yield kind
    yield cast.keys[key] if key is not None else None
