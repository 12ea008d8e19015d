"""Rows of OpenAI's files and batches."""

from collections.abc import Sequence
from typing import Any

import orjson

from apps.audit.actor import SYSTEM
from apps.batches.openai_models import Endpoint, FilePurpose, OpenAIAnswer, OpenAIBatch, OpenAIFile
from apps.batches.services.openai_batches import AskedBatch, create_openai_batch
from apps.batches.services.openai_files import NewFile, create_file
from apps.core.models import TenantModel
from apps.core.scope import organization_scope
from apps.tenants.models import Project
from tests.factories.registry import tenant_factory
from tests.factories.tenants import make_project

CHAT = "/v1/chat/completions"


def request_line(custom_id: str, body: dict[str, Any] | None = None, url: str = CHAT) -> dict[str, Any]:
    """A line of an input file; without a body a short chat with the sandbox."""
    asked = {"model": "sandbox/standard", "messages": [{"role": "user", "content": f"Hello {custom_id}"}]}
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": asked if body is None else body}


def jsonl(lines: Sequence[Any]) -> bytes:
    """Lines as a file; texts go as they are."""
    return b"".join(
        (line.encode() if isinstance(line, str) else orjson.dumps(line)) + b"\n" for line in lines
    )


def make_openai_file(
    *, project: Project | None = None, lines: Sequence[Any] | None = None, name: str = "requests"
) -> OpenAIFile:
    """An uploaded file, of two requests unless other lines are given."""
    project = project or make_project()
    content = jsonl([request_line("a"), request_line("b")] if lines is None else lines)
    with organization_scope(project.organization_id):
        return create_file(actor=SYSTEM, project=project, new=NewFile(name, FilePurpose.BATCH, [content]))


def make_openai_batch(
    *,
    project: Project | None = None,
    lines: Sequence[Any] | None = None,
    endpoint: str = CHAT,
    metadata: dict[str, str] | None = None,
    livemode: bool = True,
) -> OpenAIBatch:
    """A batch that was asked for; no worker has looked at it."""
    file = make_openai_file(project=project, lines=lines)
    with organization_scope(file.organization_id):
        return create_openai_batch(
            actor=SYSTEM,
            project=file.project,
            asked=AskedBatch(file, Endpoint(endpoint), metadata, None, livemode, None),
        )


@tenant_factory("batches.OpenAIFile")
def _openai_file(project: Project) -> TenantModel:
    return make_openai_file(project=project)


@tenant_factory("batches.OpenAIBatch")
def _openai_batch(project: Project) -> TenantModel:
    return make_openai_batch(project=project)


@tenant_factory("batches.OpenAIAnswer")
def _openai_answer(project: Project) -> TenantModel:
    batch = make_openai_batch(project=project)
    return OpenAIAnswer.objects.create(
        organization_id=batch.organization_id, batch=batch, number=1, status_code=200, body=b"{}"
    )
