"""Embeddings as runs: what of a project's serving policy holds for them."""

import pytest

from apps.audit.actor import SYSTEM
from apps.core.scope import organization_scope
from apps.prompts import services
from apps.runs.embedding import Embedded, embed, input_messages
from apps.runs.runtime import Runtime
from tests.factories import make_project
from tests.runs.support import make_request, with_runtime


@pytest.mark.django_db(transaction=True)
def test_embed__where_the_policy_caches_answers__has_vectors_every_time() -> None:
    project = make_project()
    with organization_scope(project.organization_id):
        services.change_serving(
            actor=SYSTEM, project=project, prompt=None, sections={"cache": {"exact_seconds": 60}}
        )

    async def twice(runtime: Runtime) -> list[Embedded]:
        return [
            await embed(
                runtime.engine,
                make_request(
                    project, model="sandbox/embedding", variables={}, messages=input_messages(["a", "b"])
                ),
                ["a", "b"],
                {},
            )
            for _ in range(2)
        ]

    first, second = with_runtime(twice)
    assert len(first.vectors) == len(second.vectors) == 2
    assert second.result.cached_from is None
