"""POST /v1/embeddings: vectors of texts, as OpenAI answers them, each call a run with usage and price."""

import base64
import struct
from collections.abc import Sequence
from typing import Any

from apps.core import ids, log_fields
from apps.core.errors import InvalidRequest
from apps.gateway.calls import run_request
from apps.gateway.chat_answers import facts as run_facts
from apps.gateway.embedding_requests import parse_embedding_body
from apps.gateway.http import HttpRequest, JsonAnswer, Send, send_json
from apps.gateway.running import demand_answer, unless_disconnected
from apps.gateway.serving import Serving
from apps.runs.embedding import Embedded, embed
from apps.tenants.access import AccessFacts


async def create_embeddings(serving: Serving, request: HttpRequest, send: Send, facts: AccessFacts) -> None:
    """Answer with a vector for each input. Raises core errors as long as nothing was sent."""
    if request.header(b"idempotency-key"):
        raise InvalidRequest(
            "Vectors are not kept, so the same answer can't be given again: send no Idempotency-Key.",
            code="idempotency_unsupported",
            param="Idempotency-Key",
        )
    body = parse_embedding_body(await request.json())
    parameters = {} if body.dimensions is None else {"dimensions": body.dimensions}

    async def answer() -> None:
        run = run_request(body, facts, run_id=ids.uuid7(), request=request)
        log_fields.note_id("run_id", "run", run.run_id)
        embedded = await embed(serving.runtime.engine, run, body.inputs, parameters)
        demand_answer(embedded.result)
        await send_json(request, send, JsonAnswer(embedding_list(embedded, as_base64=body.as_base64)))

    with serving.run_slot() as task:
        await unless_disconnected(request, answer(), task)


def embedding_list(embedded: Embedded, *, as_base64: bool) -> dict[str, Any]:
    """The body of an answer."""
    result = embedded.result
    given = result.usage.input_tokens
    return {
        "object": "list",
        "model": result.model,
        "data": [
            {"object": "embedding", "index": index, "embedding": _encoded(vector) if as_base64 else vector}
            for index, vector in enumerate(embedded.vectors)
        ],
        "usage": None if given is None else {"prompt_tokens": given, "total_tokens": given},
        "promptsaas": run_facts(result),
    }


def _encoded(vector: Sequence[float]) -> str:
    """32-bit floats, little end first, in base64: what OpenAI's clients ask for by themselves."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
