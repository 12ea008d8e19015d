"""Versions as the gateway hands them out, kept as they are sent."""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from apps.core.json_bodies import dump_json
from apps.core.scope import organization_scope
from apps.prompts import queries
from apps.prompts.api.serializers import version_body
from apps.runs.caches import ReadThroughCache
from apps.runs.runtime import Runtime
from apps.runs.types import PromptReference
from apps.tenants.access import AccessFacts


@dataclass(frozen=True, slots=True)
class ServedVersion:
    """A version as it is answered, and what it is recognized by."""

    prompt_id: UUID
    body: bytes
    etag: str


class ServedVersions:
    """Versions by reference, fresh within a second."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._cache: ReadThroughCache[tuple[UUID, PromptReference], ServedVersion] = ReadThroughCache(
            lambda _, served: (("prompt", str(served.prompt_id)), ("label", str(served.prompt_id))),
            size=2000,
        )
        runtime.freshness.watch(self._cache)

    async def get(self, facts: AccessFacts, reference: PromptReference) -> ServedVersion:
        """The version that a reference means in a key's project. Raises NotFound."""
        await self._runtime.freshness.demand()
        return await self._cache.get(
            (facts.project_id, reference),
            lambda: self._runtime.calls.run(lambda: _load(facts, reference)),
        )


def _load(facts: AccessFacts, reference: PromptReference) -> ServedVersion:
    with organization_scope(facts.organization_id):
        prompt, version, label = queries.served_version(
            project_id=facts.project_id,
            name=reference.name,
            label=reference.label,
            number=reference.number,
        )
        labels = queries.labels_of([prompt])[prompt.pk]
        body = version_body(version) | {
            "name": prompt.name,
            "kind": prompt.kind,
            "label": label,
            "labels": [name for name, number in labels.items() if number == version.number],
            "latest_version": prompt.latest_number,
        }
    encoded = dump_json(body)
    return ServedVersion(prompt.pk, encoded, f'"{hashlib.sha256(encoded).hexdigest()[:32]}"')
