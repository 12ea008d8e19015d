"""Checks of files and batches with the openai client for Python and with curl, as their docs show."""

import asyncio
import io
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import openai

from bench.compatibility.places import MODELS, PROMPT, Place

Check = tuple[str, Callable[[], Any]]
ENDED: Final = ("completed", "failed", "expired", "cancelled")
WAIT_SECONDS: Final = 90
CHAT: Final = "/v1/chat/completions"


def python_checks(place: Place) -> Iterator[Check]:
    """Every check of the Python client by its name."""
    client = openai.OpenAI(base_url=f"{place.url}/v1", api_key=place.token, max_retries=0, timeout=30)
    for models in MODELS:
        talk = {"model": models.talks, "messages": [{"role": "user", "content": "Hello"}]}
        yield f"batch of chats, {models.name}", partial(_whole, client, CHAT, [talk, talk])
    greeting = {"model": f"prompt:{PROMPT}@production", "messages": [], "variables": {"name": "Ada"}}
    yield "batch of a managed prompt", partial(_whole, client, CHAT, [greeting] * 3)
    asked = {"model": f"prompt:{PROMPT}#1", "input": "Hello", "variables": {"name": "Ada"}}
    yield "batch of responses", partial(_whole, client, "/v1/responses", [asked])
    texts = {"model": "sandbox/embedding", "input": ["one", "two"]}
    yield "batch of embeddings", partial(_whole, client, "/v1/embeddings", [texts])
    yield "batch with a wrong line", partial(_wrong, client)
    yield "files, listed and deleted", partial(_files, client)
    yield "batch, async, cancelled", lambda: asyncio.run(_asynchronous(place))


def curl_checks(place: Place) -> Iterator[Check]:
    """Every check with curl by its name."""
    yield "batch, from the file to the answers", partial(_by_curl, place)


def requests_file(bodies: Sequence[dict[str, Any]], endpoint: str = CHAT) -> bytes:
    """Bodies as a batch's input file."""
    lines = [
        {"custom_id": f"request-{number}", "method": "POST", "url": endpoint, "body": body}
        for number, body in enumerate(bodies)
    ]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def _whole(client: openai.OpenAI, endpoint: Any, bodies: Sequence[dict[str, Any]]) -> None:
    file = client.files.create(file=("a.jsonl", io.BytesIO(requests_file(bodies, endpoint))), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint=endpoint, completion_window="24h", metadata={"name": "check"}
    )
    batch = _ended(client, batch.id)
    assert batch.status == "completed", batch
    assert batch.request_counts is not None
    assert batch.request_counts.completed == len(bodies), batch
    assert batch.output_file_id is not None
    lines = client.files.content(batch.output_file_id).text.splitlines()
    for number, line in enumerate(map(json.loads, lines)):
        assert line["custom_id"] == f"request-{number}"
        assert line["response"]["status_code"] == 200
        assert line["response"]["body"]["object"] in ("chat.completion", "response", "list")


def _ended(client: openai.OpenAI, batch_id: str) -> Any:
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        batch = client.batches.retrieve(batch_id)
        if batch.status in ENDED:
            return batch
        time.sleep(0.3)
    raise TimeoutError(f"the batch is still {batch.status}")


def _wrong(client: openai.OpenAI) -> None:
    file = client.files.create(file=("a.jsonl", requests_file([{}, {}]) + b"{\n"), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
    batch = _ended(client, batch.id)
    assert (batch.status, batch.errors.data[0].line) == ("failed", 3)


def _files(client: openai.OpenAI) -> None:
    made = [client.files.create(file=b"{}\n", purpose="batch").id for _ in range(3)]
    listed = [file.id for file in client.files.list(limit=2, purpose="batch")]
    assert listed[:3] == made[::-1]
    assert client.files.retrieve(made[0]).bytes == 3
    assert all(client.files.delete(file).deleted for file in made)


async def _asynchronous(place: Place) -> None:
    async with openai.AsyncOpenAI(base_url=f"{place.url}/v1", api_key=place.token) as client:
        body = {"model": "sandbox/standard", "messages": [{"role": "user", "content": "Hello"}]}
        file = await client.files.create(file=("a.jsonl", requests_file([body] * 500)), purpose="batch")
        batch = await client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
        assert (await client.batches.cancel(batch.id)).status in ("cancelling", "cancelled")
        async for each in client.batches.list(limit=1):
            assert each.id == batch.id
            break


def _by_curl(place: Place) -> None:
    body = {"model": "sandbox/standard", "messages": [{"role": "user", "content": "Hello"}]}
    form = ["-F", "purpose=batch", "-F", "file=@-;filename=a.jsonl"]
    file = json.loads(_curl(place, "/v1/files", form, requests_file([body])))
    asked = {"input_file_id": file["id"], "endpoint": CHAT, "completion_window": "24h"}
    sent = ["-H", "Content-Type: application/json", "-d", json.dumps(asked)]
    batch = json.loads(_curl(place, "/v1/batches", sent))
    until = time.monotonic() + WAIT_SECONDS
    while batch["status"] not in ENDED and time.monotonic() < until:
        time.sleep(0.3)
        batch = json.loads(_curl(place, f"/v1/batches/{batch['id']}", []))
    assert batch["status"] == "completed", batch
    content = _curl(place, f"/v1/files/{batch['output_file_id']}/content", [])
    assert json.loads(content)["response"]["body"]["choices"]


def _curl(place: Place, path: str, options: Sequence[str], given: bytes = b"") -> bytes:
    command = ["curl", "--silent", "--max-time", "30", place.url + path]
    command += ["-H", f"Authorization: Bearer {place.token}", *options]
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout
