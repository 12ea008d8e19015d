"""A library of many prompts in one project, written past the services: rows for the measurements of lists."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection

from apps.core.ids import uuid7
from apps.core.scope import organization_scope
from apps.tenants.models import Project

BATCH: Final = 2_000
SYLLABLES: Final = ("re", "ta", "lo", "mi", "sen", "der", "pra", "ku", "vin", "tor", "es", "al", "no", "gra")
TAGS: Final = ("billing", "support", "sales", "legal", "draft", "english", "german", "triage")
# Each stands in about this share of the texts.
KNOWN_WORDS: Final = {"refund": 0.2, "warranty": 0.01, "zeppelin": 0.0001}

PROMPTS: Final = """
    INSERT INTO prompts_prompt (id, organization_id, project_id, name, kind, description, tags, latest_number,
        created_at, changed_at, changed_by)
    SELECT id, %s, %s, name, 'chat', description, tags::varchar[], latest, changed, changed, 'Bench'
    FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::int[], %s::timestamptz[])
        AS each (id, name, description, tags, latest, changed)
"""
VERSIONS: Final = """
    INSERT INTO prompts_promptversion (id, organization_id, prompt_id, number, messages, variables, model,
        parameters, message, content_hash, author_kind, author_name, created_at)
    SELECT id, %s, prompt, number, messages::jsonb, '[]', 'sandbox/standard', '{}', '', md5(messages),
        'system', '', now()
    FROM unnest(%s::uuid[], %s::uuid[], %s::int[], %s::text[]) AS each (prompt, id, number, messages)
"""
LABELS: Final = """
    INSERT INTO prompts_label (id, organization_id, prompt_id, name, version_id, created_at, moved_at,
        moved_by)
    SELECT id, %s, prompt, name, version, now(), now(), 'Bench'
    FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::uuid[]) AS each (id, prompt, name, version)
"""


@dataclass(frozen=True)
class Planned:
    """One prompt to write; versions are (id, number, messages), labels (id, name)."""

    id: UUID
    name: str
    description: str
    tags: str
    changed_at: datetime
    versions: list[tuple[UUID, int, str]]
    labels: list[tuple[UUID, str]]


def fill(project: Project, count: int, *, seed: int = 1) -> None:
    """`count` prompts with one to five versions each, labels, tags and folders; 900 characters a text."""
    chance = random.Random(seed)
    words = ["".join(chance.choices(SYLLABLES, k=chance.randint(1, 4))) for _ in range(4_000)]
    planned = (_planned(chance, words, number) for number in range(count))
    while batch := list(islice(planned, BATCH)):
        with organization_scope(project.organization_id):
            _insert(project, batch)


def _planned(chance: random.Random, words: list[str], number: int) -> Planned:
    folder = f"team-{number % 20}/area-{number % 300}/" if number % 10 else ""
    versions = 1 + (number % 5 if number % 3 == 0 else 0)
    shares = (("production", 0.8), ("staging", 0.4))
    return Planned(
        id=uuid7(),
        name=f"{folder}prompt-{number:06}",
        description=" ".join(chance.choices(words, k=8)),
        tags=f"{{{','.join(sorted(chance.sample(TAGS, k=chance.randint(0, 3))))}}}",
        changed_at=datetime.now(UTC) - timedelta(seconds=chance.randint(0, 34_000_000)),
        versions=[(uuid7(), each + 1, _messages(chance, words)) for each in range(versions)],
        labels=[(uuid7(), name) for name, share in shares if chance.random() < share],
    )


def _messages(chance: random.Random, words: list[str]) -> str:
    system, user = chance.choices(words, k=60), chance.choices(words, k=80)
    for word, share in KNOWN_WORDS.items():
        if chance.random() < share:
            user[chance.randrange(80)] = word
    texts = {"system": " ".join(system), "user": " ".join(user)}
    return orjson.dumps([{"role": role, "content": text} for role, text in texts.items()]).decode()


def _insert(project: Project, batch: Sequence[Planned]) -> None:
    prompts = [(p.id, p.name, p.description, p.tags, len(p.versions), p.changed_at) for p in batch]
    versions = [(p.id, *version) for p in batch for version in p.versions]
    labels = [(label_id, p.id, name, p.versions[0][0]) for p in batch for label_id, name in p.labels]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '5min'")
        cursor.execute(PROMPTS, [project.organization_id, project.id, *_columns(prompts)])
        cursor.execute(VERSIONS, [project.organization_id, *_columns(versions)])
        cursor.execute(LABELS, [project.organization_id, *_columns(labels)])


def _columns(rows: Sequence[tuple[Any, ...]]) -> Iterator[list[Any]]:
    return (list(column) for column in zip(*rows, strict=True))
