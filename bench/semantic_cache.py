"""Look-ups of the semantic cache: `python -m bench.semantic_cache [entries] [dimensions] [index]`.

100,000 entries of 768 numbers in ten full projects; the first has all of its entries in one scope, the others
a tenth in each of ten. Asked for is always something near one entry. The product's way (the nearest by
signature, then exactly) is compared with an exact scan of the scope and with an HNSW index over everything,
each behind row security as the application. `index` 0 leaves the index out, which takes minutes to build.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from bench.own_database import own_database

PROJECTS = 10
ASKED = 60
THRESHOLD = 0.9
MOST_MILLISECONDS = 50.0

# Near duplicates of what is kept lie at about this distance.
NOISE = 0.35

FILL = """
INSERT INTO runs_cacheentry (
    id, organization_id, project_id, run_id, scope_hash, embedding, signature, sealed, expires_at
)
SELECT gen_random_uuid(), %(organization)s, %(project)s, gen_random_uuid(),
       decode(md5(%(project)s::text || (row.number %% %(scopes)s)), 'hex'),
       row.embedding, binary_quantize(row.embedding::vector), '\\x00', now() + interval '1 day'
FROM (
    SELECT number, (
        SELECT array_agg((random() - 0.5)::real) FROM generate_series(1, %(dimensions)s) AS each
        WHERE each + number > 0
    ) AS embedding
    FROM generate_series(1, %(entries)s) AS number
) AS row
"""
EXACT = """
SELECT id, embedding::vector <=> %(embedding)s::real[]::vector AS distance FROM runs_cacheentry
WHERE organization_id = %(organization)s AND scope_hash = %(scope)s AND expires_at > now()
ORDER BY distance LIMIT 1
"""
HNSW = """
SELECT id, embedding <=> %(embedding)s::real[]::vector({dimensions}) AS distance FROM bench_hnsw
WHERE organization_id = %(organization)s AND scope_hash = %(scope)s
ORDER BY embedding <=> %(embedding)s::real[]::vector({dimensions}) LIMIT 1
"""
INDEX = """
CREATE TABLE bench_hnsw (id uuid, organization_id uuid, scope_hash bytea, embedding vector({dimensions}));
ALTER TABLE bench_hnsw ALTER COLUMN embedding SET STORAGE EXTERNAL;
ALTER TABLE bench_hnsw ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON bench_hnsw TO promptsaas_app
    USING (organization_id = NULLIF(current_setting('app.organization_id', true), '')::uuid);
GRANT SELECT ON bench_hnsw TO promptsaas_app;
INSERT INTO bench_hnsw SELECT id, organization_id, scope_hash, embedding::vector FROM runs_cacheentry;
SET maintenance_work_mem = '700MB';
SET max_parallel_maintenance_workers = 0;
CREATE INDEX ON bench_hnsw USING hnsw (embedding vector_cosine_ops);
CREATE INDEX ON bench_hnsw (organization_id, scope_hash);
ANALYZE bench_hnsw;
"""
Way = Callable[[UUID, bytes, Sequence[float]], UUID | None]


def main(arguments: Sequence[str]) -> int:
    """Fill, ask, print; 1 if the product's way is too slow or misses what the exact one finds."""
    numbers = [int(each) for each in arguments] + [100_000, 768, 1][len(arguments) :]
    entries, dimensions, index = numbers
    with own_database():
        return _measure(entries, dimensions, with_index=bool(index))


def _measure(entries: int, dimensions: int, *, with_index: bool) -> int:
    import psycopg  # noqa: PLC0415 - needs the settings
    from django.conf import settings  # noqa: PLC0415

    projects = _fill(entries // PROJECTS, dimensions)
    ways = _ways(dimensions)
    print(f"{entries:,} entries of {dimensions} numbers in {PROJECTS} projects")
    failed = _compare(projects, {name: ways[name] for name in ("product", "exact scan")})
    if not with_index:
        return failed
    began = time.monotonic()
    with psycopg.connect(settings.MIGRATION_DATABASE_URL, autocommit=True) as owner:
        owner.execute("CREATE POLICY bench ON runs_cacheentry TO CURRENT_USER USING (true)")
        owner.execute(INDEX.format(dimensions=dimensions))
        size = owner.execute("SELECT pg_size_pretty(pg_relation_size('bench_hnsw_embedding_idx'))").fetchone()
    print(f"\nHNSW index: {time.monotonic() - began:.0f} s to build, {size[0] if size else '?'}")
    for name in ("hnsw", "hnsw, iterative"):
        _compare(projects, {name: ways[name]})
    print(f"{'that index is used' if _uses_index(projects[0][0], dimensions) else 'THE INDEX IS NOT USED'}")
    return failed


def _fill(each: int, dimensions: int) -> list[tuple[UUID, UUID]]:
    from django.db import connection  # noqa: PLC0415

    from apps.core.scope import organization_scope  # noqa: PLC0415
    from tests.factories import make_project  # noqa: PLC0415

    made = []
    for number in range(PROJECTS):
        project = make_project()
        with organization_scope(project.organization_id), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '10min'")
            values: dict[str, Any] = {
                "organization": project.organization_id,
                "project": project.pk,
                "entries": each,
            }
            cursor.execute(FILL, values | {"dimensions": dimensions, "scopes": 10 if number else 1})
        made.append((project.organization_id, project.pk))
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '10min'")
    return made


def _ways(dimensions: int) -> dict[str, Way]:
    from apps.runs import cache_entries  # noqa: PLC0415

    def product(organization_id: UUID, scope: bytes, embedding: Sequence[float]) -> UUID | None:
        return _first(cache_entries._NEAREST, organization_id, scope, embedding)

    def exact(organization_id: UUID, scope: bytes, embedding: Sequence[float]) -> UUID | None:
        return _first(EXACT, organization_id, scope, embedding)

    def hnsw(organization_id: UUID, scope: bytes, embedding: Sequence[float]) -> UUID | None:
        return _first(HNSW.format(dimensions=dimensions), organization_id, scope, embedding, _only_index())

    def iterative(organization_id: UUID, scope: bytes, embedding: Sequence[float]) -> UUID | None:
        before = [*_only_index(), "SET LOCAL hnsw.iterative_scan = strict_order"]
        return _first(HNSW.format(dimensions=dimensions), organization_id, scope, embedding, before)

    return {"product": product, "exact scan": exact, "hnsw": hnsw, "hnsw, iterative": iterative}


def _only_index() -> list[str]:
    """What makes the planner take the HNSW index; by itself it takes the scope's and sorts."""
    return ["SET LOCAL enable_sort = off", "SET LOCAL enable_bitmapscan = off"]


def _first(
    query: str, organization_id: UUID, scope: bytes, embedding: Sequence[float], before: Sequence[str] = ()
) -> UUID | None:
    from django.db import connection  # noqa: PLC0415

    from apps.core.scope import organization_scope  # noqa: PLC0415
    from apps.runs.cache_entries import _array  # noqa: PLC0415

    values: dict[str, Any] = {
        "organization": organization_id,
        "scope": scope,
        "embedding": _array(embedding),
        "oldest": 86400,
    }
    with organization_scope(organization_id), connection.cursor() as cursor:
        for statement in before:
            cursor.execute(statement)
        cursor.execute(query, values)
        row: Any = cursor.fetchone()
        return row[0] if row else None


def _uses_index(organization_id: UUID, dimensions: int) -> bool:
    from django.db import connection  # noqa: PLC0415

    from apps.core.scope import organization_scope  # noqa: PLC0415

    [(_, scope, embedding), *_] = _asked(organization_id)
    values: dict[str, Any] = {"organization": organization_id, "scope": scope, "embedding": embedding}
    with organization_scope(organization_id), connection.cursor() as cursor:
        for statement in _only_index():
            cursor.execute(statement)
        cursor.execute(f"EXPLAIN {HNSW.format(dimensions=dimensions)}", values)
        return "bench_hnsw_embedding_idx" in str(cursor.fetchall())


def _compare(projects: Sequence[tuple[UUID, UUID]], ways: dict[str, Way]) -> int:
    failed = 0
    for words, (organization_id, _) in (("one scope of all", projects[0]), ("a tenth each", projects[1])):
        asked = _asked(organization_id)
        for name, way in ways.items():
            found, times = 0, []
            for entry_id, scope, embedding in asked:
                began = time.perf_counter()
                found += way(organization_id, scope, embedding) == entry_id
                times.append((time.perf_counter() - began) * 1000)
            median, worst = statistics.median(times), sorted(times)[int(len(times) * 0.95)]
            print(f"{name:<16} {words:<18} {median:7.1f} ms (p95 {worst:.1f}), found {found} of {len(asked)}")
            if name == "product":
                failed |= median > MOST_MILLISECONDS or found < len(asked)
    return int(failed)


def _asked(organization_id: UUID) -> list[tuple[UUID, bytes, list[float]]]:
    """Entries, each with a direction near it."""
    import random  # noqa: PLC0415

    from apps.core.scope import organization_scope  # noqa: PLC0415
    from apps.runs.models import CacheEntry  # noqa: PLC0415

    chance = random.Random(7)
    with organization_scope(organization_id):
        rows = list(CacheEntry.objects.order_by("id")[:ASKED])
    return [
        (row.pk, bytes(row.scope_hash), [x + NOISE * (chance.random() - 0.5) for x in row.embedding])
        for row in rows
    ]


if __name__ == "__main__":
    os.environ.setdefault("PROMPTSAAS_PROCESS", "bench")
    sys.exit(main(sys.argv[1:]))
