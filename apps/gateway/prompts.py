"""/api/v1/prompts/<name>: fetch a version, render it, run it. Names hold slashes; an id serves as well."""

import hashlib
from typing import Any, Final
from uuid import UUID

import orjson

from apps.core import ids
from apps.core.errors import InvalidRequest, NotFound
from apps.gateway import prompt_bodies
from apps.gateway.background import BackgroundJob, serve_background
from apps.gateway.calls import run_request
from apps.gateway.http import HttpRequest, JsonAnswer, Send, send_json, send_not_modified
from apps.gateway.run_answers import RunExchange, run_body, stream_run
from apps.gateway.running import Items, Job, fingerprint_of, serve_run
from apps.gateway.serving import Serving
from apps.prompts.rendering import unknown_names
from apps.providers.types import ChatRequest
from apps.runs.types import RunRequest, RunResult
from apps.tenants.access import AccessFacts

# A moved label reaches us within a second; a client that keeps its copy is told for how long it may.
CACHE_CONTROL: Final = "private, max-age=60, stale-while-revalidate=300"


async def show_prompt(serving: Serving, request: HttpRequest, send: Send, facts: AccessFacts) -> None:
    """Answer with a version's content, or 304 to a client that has it."""
    served = await serving.versions.get(facts, prompt_bodies.asked_version(request))
    headers = {"ETag": served.etag, "Cache-Control": CACHE_CONTROL, "Vary": "Authorization"}
    if _has_it(request.header(b"if-none-match"), served.etag):
        await send_not_modified(request, send, headers)
    else:
        await send_json(request, send, JsonAnswer(served.body, headers=headers))


async def render_prompt(serving: Serving, request: HttpRequest, send: Send, facts: AccessFacts) -> None:
    """Answer with the messages, and the body that the provider would get, byte for byte. Nothing is run."""
    name = prompt_bodies.prompt_name(request, prompt_bodies.RENDER)
    call = prompt_bodies.parse_render(name, await request.json())
    run = run_request(call, facts, run_id=ids.uuid7(), request=request)
    prompt, chat = await serving.runtime.engine.render(run)
    assert prompt is not None
    provider, problem = await _provider_request(serving, run)
    body = {
        "object": "rendered_prompt",
        "prompt": prompt.name,
        "prompt_id": ids.encode("prm", prompt.prompt_id) if prompt.prompt_id else None,
        "version": prompt.number,
        "label": call.prompt.label,
        "messages": list(chat.messages),
        "model": chat.model,
        "parameters": chat.parameters,
        "output_schema": chat.output_schema,
        "tools": list(chat.tools),
        "ignored_variables": list(unknown_names(prompt.variables, call.variables)),
        "request": provider,
        "request_problem": problem,
        "hash": _hash(chat),
    }
    await send_json(request, send, JsonAnswer(body, headers={"ETag": f'"{body["hash"]}"'}))


async def run_prompt(serving: Serving, request: HttpRequest, send: Send, facts: AccessFacts) -> None:
    """Run a prompt and answer, whole, as events or later. Raises core errors while nothing was sent."""
    name = prompt_bodies.prompt_name(request, prompt_bodies.RUN)
    raw = await request.json()
    call = prompt_bodies.parse_run(name, raw)

    def build(run_id: UUID, claim: UUID | None) -> RunRequest:
        return run_request(call, facts, run_id=run_id, request=request, claim=claim)

    def body(result: RunResult) -> dict[str, Any]:
        return run_body(result, livemode=facts.livemode)

    async def stream(run_id: UUID, items: Items) -> None:
        await stream_run(RunExchange(request, send, run_id, livemode=facts.livemode), items)

    same = fingerprint_of(request, {"path": request.path, "body": raw})
    if call.background:
        await serve_background(serving, request, send, facts, BackgroundJob(build, same))
        return
    job = Job(build, body, stream if call.stream else None, same)
    await serve_run(serving, request, send, facts, job)


async def _provider_request(serving: Serving, run: RunRequest) -> tuple[dict[str, Any] | None, str | None]:
    """What would be sent; or None and why it can't be told, where no model can be reached by its name."""
    try:
        prepared = await serving.runtime.engine.prepare(run)
    except (InvalidRequest, NotFound) as refusal:
        return None, refusal.message
    return prepared.target.provider.request_body(prepared.chat), None


def _hash(chat: ChatRequest) -> str:
    """Equal exactly for equal calls."""
    asked = {
        "model": chat.model,
        "messages": list(chat.messages),
        "parameters": chat.parameters,
        "output_schema": chat.output_schema,
        "tools": list(chat.tools),
    }
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _has_it(if_none_match: str, etag: str) -> bool:
    """RFC 9110 §13.1.2, by weak comparison."""
    told = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return etag in told or told == ["*"]
