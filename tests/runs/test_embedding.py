"""Embeddings as runs: what of a project's serving policy holds for them."""

from typing import Any

import pytest

from apps.audit.actor import SYSTEM
from apps.core.scope import organization_scope
from apps.prompts import services
from apps.runs.embedding import Embedded, embed, input_messages
from apps.runs.runtime import Runtime
from apps.runs.types import RunRequest
from apps.tenants.models import Project
from tests.factories import make_project
from tests.runs.support import make_request, with_runtime

pytestmark = pytest.mark.django_db(transaction=True)


TEXTS = ("a", "b")


def make_served(sections: Any) -> Project:
    project = make_project()
    with organization_scope(project.organization_id):
        services.change_serving(actor=SYSTEM, project=project, prompt=None, sections=sections)
    return project


def ask(project: Project) -> RunRequest:
    return make_request(project, model="sandbox/embedding", variables={}, messages=input_messages(TEXTS))


def test_embed__where_the_policy_caches_answers__has_vectors_every_time() -> None:
    project = make_served({"cache": {"exact_seconds": 60}})

    async def twice(runtime: Runtime) -> list[Embedded]:
        return [await embed(runtime.engine, ask(project), TEXTS, {}) for _ in range(2)]

    first, second = with_runtime(twice)
    assert len(first.vectors) == len(second.vectors) == 2
    assert second.result.cached_from is None


def test_embed__where_the_policy_judges_answers__pays_for_no_verdict_on_nothing() -> None:
    judge = {"model": "sandbox/standard", "on": "output", "action": "block", "threshold": 0.05}
    project = make_served({"guardrails": {"judge": judge}})
    embedded = with_runtime(lambda runtime: embed(runtime.engine, ask(project), TEXTS, {}))
    assert embedded.result.status == "succeeded"
    assert embedded.result.guardrail_hits == ()
