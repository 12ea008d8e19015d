"""Calling `/v1/batches` in tests, and doing what its workers do."""

import json
from typing import Any
from uuid import UUID

from django.test import Client

from apps.batches.openai import queries
from apps.batches.services.openai_advancing import advance
from apps.tenants.models import Project
from tests.batches.support import run_batch_pump
from tests.factories import make_api_key
from tests.factories.openai_batches import CHAT, make_openai_file


class Api:
    """A client with an API key, as OpenAI's clients call."""

    def __init__(self, project: Project, *, livemode: bool = True) -> None:
        self.client = Client(
            headers={"Authorization": f"Bearer {make_api_key(project=project, livemode=livemode)[1]}"}
        )

    def get(self, path: str, status: int = 200) -> Any:
        response = self.client.get(f"/v1/{path}")
        assert response.status_code == status, response.content
        return response.json()

    def post(
        self, path: str, body: Any = None, status: int = 200, headers: dict[str, str] | None = None
    ) -> Any:
        response = self.client.post(
            f"/v1/{path}", json.dumps(body or {}), content_type="application/json", headers=headers
        )
        assert response.status_code == status, response.content
        return response.json()

    def lines(self, file_id: str | None) -> list[dict[str, Any]]:
        if file_id is None:
            return []
        content = self.client.get(f"/v1/files/{file_id}/content").getvalue()
        return [json.loads(line) for line in content.splitlines()]


def create(api: Api, project: Project, lines: Any, endpoint: str = CHAT, **more: Any) -> dict[str, Any]:
    file = make_openai_file(project=project, lines=lines)
    asked = {"input_file_id": file.public_id, "endpoint": endpoint, "completion_window": "24h"}
    made: dict[str, Any] = api.post("batches", asked | more)
    return made


def work(*batch_ids: str) -> None:
    """What the workers do from the files to the answers."""
    row_ids = [row_id_of(batch_id) for batch_id in batch_ids]
    for row_id in row_ids:
        assert advance(row_id)
    run_batch_pump()
    for row_id in row_ids:
        advance(row_id)


def row_id_of(batch_id: str) -> UUID:
    """The UUID of a batch."""
    found = queries.batch_id_of(batch_id)
    assert found is not None
    return found
