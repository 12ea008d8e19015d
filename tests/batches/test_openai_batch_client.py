"""The official openai client's batch code, unchanged, against the real web process."""

import asyncio
import io
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from apps.batches.openai import queries
from apps.batches.services.openai_advancing import advance
from apps.tenants.models import Project
from tests.batches.support import run_batch_pump
from tests.browser.servers import Site, web_alone
from tests.factories import make_api_key, make_content, make_project, make_prompt
from tests.factories.openai_batches import jsonl, request_line

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture(scope="module")
def site(django_db_setup: None) -> Iterator[Site]:
    """The web process, to which the router leads `/v1/files` and `/v1/batches`."""
    with web_alone() as site:
        yield site


@pytest.fixture
def project() -> Project:
    project = make_project()
    content = make_content("Say hello to {{ name }}.", model="sandbox/standard")
    make_prompt(project=project, name="greeting", content=content, labels={"production": 1})
    return project


@pytest.fixture
def settings_of_client(site: Site, project: Project) -> dict[str, Any]:
    token = make_api_key(project=project)[1]
    return {"base_url": f"{site.url}/v1", "api_key": token, "max_retries": 0, "timeout": 20}


def _requests(count: int) -> bytes:
    body = {"model": "prompt:greeting@production", "messages": [], "variables": {"name": "Ada"}}
    return jsonl([request_line(f"task-{number}", body) for number in range(count)])


def _work(batch_id: str) -> None:
    """What the workers do."""
    row_id = queries.batch_id_of(batch_id)
    assert row_id is not None
    advance(row_id)
    run_batch_pump()
    advance(row_id)


def test_client__from_the_file_to_the_answers__needs_no_change(settings_of_client: dict[str, Any]) -> None:
    with openai.OpenAI(**settings_of_client) as client:
        batch_file = client.files.create(file=("tasks.jsonl", io.BytesIO(_requests(3))), purpose="batch")
        batch_job = client.batches.create(
            input_file_id=batch_file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={"description": "nightly evaluation"},
            output_expires_after={"anchor": "created_at", "seconds": 86_400},
        )
        assert batch_job.status == "validating"
        _work(batch_job.id)
        batch_job = client.batches.retrieve(batch_job.id)
        assert batch_job.status == "completed"
        assert batch_job.request_counts is not None
        assert batch_job.request_counts.completed == 3
        assert batch_job.usage is not None
        assert batch_job.usage.input_tokens_details.cached_tokens == 0
        assert batch_job.output_file_id is not None
        result = client.files.content(batch_job.output_file_id).content
        answers = {
            line["custom_id"]: line["response"]["body"] for line in map(json.loads, result.splitlines())
        }
        assert sorted(answers) == ["task-0", "task-1", "task-2"]
        assert answers["task-0"]["choices"][0]["message"]["content"]
        assert answers["task-0"]["model"] == "sandbox/standard"
        assert [batch.id for batch in client.batches.list(limit=1)] == [batch_job.id]
        assert {file.purpose for file in client.files.list()} == {"batch", "batch_output"}
        assert client.files.delete(batch_file.id).deleted


def test_client__with_a_wrong_file__reads_which_line_is_wrong(settings_of_client: dict[str, Any]) -> None:
    with openai.OpenAI(**settings_of_client) as client:
        file = client.files.create(file=("a.jsonl", b'{"custom_id": 1}\n'), purpose="batch")
        batch = client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )
        with pytest.raises(openai.ConflictError):
            client.files.delete(file.id)
        _work(batch.id)
        batch = client.batches.retrieve(batch.id)
        assert (batch.status, batch.failed_at is None) == ("failed", False)
        assert batch.errors is not None
        assert batch.errors.data is not None
        assert (batch.errors.data[0].line, batch.errors.data[0].code) == (1, "invalid_type")
        with pytest.raises(openai.NotFoundError):
            client.files.retrieve("file-nowhere")
        with pytest.raises(openai.BadRequestError, match="purpose"):
            client.files.create(file=b"x", purpose="vision")


def test_async_client__cancels__and_reads_what_it_cancelled(settings_of_client: dict[str, Any]) -> None:
    async def talk() -> str:
        async with openai.AsyncOpenAI(**settings_of_client) as client:
            file = await client.files.create(file=("a.jsonl", _requests(1)), purpose="batch")
            batch = await client.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
            )
            cancelled = await client.batches.cancel(batch.id)
            assert [each.id async for each in client.batches.list()] == [batch.id]
            assert (await client.files.content(file.id)).content == _requests(1)
            return cancelled.status

    assert asyncio.run(talk()) == "cancelled"
