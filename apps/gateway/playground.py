"""POST /v1/playground/run: run what stands on a playground page, saved or not, as a stream of events.

The content is checked and rendered by the very code that serves saved versions, so what is seen is what a
saved version would do. The events are those of a prompt's run: see `run_answers`.
"""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from apps.core import ids, log_fields
from apps.core.errors import InvalidRequest
from apps.core.scope import organization_scope
from apps.gateway import fields
from apps.gateway.chat_options import cache_wish, repair_attempts
from apps.gateway.fields import LONGEST_RUN_SECONDS, typed
from apps.gateway.http import HttpRequest, Send
from apps.gateway.prompt_bodies import call_parameters
from apps.gateway.run_answers import RunExchange, stream_run
from apps.gateway.running import unless_disconnected
from apps.gateway.serving import Serving
from apps.prompts.types import VersionContent
from apps.runs.inline import Asked, attributed
from apps.runs.playground_tokens import PlaygroundUser
from apps.runs.types import CacheWish, InlinePrompt, RunRequest

_FIELDS: Final = frozenset(
    {"messages", "variables", "values", "model", "parameters", "output_schema", "tools", "prompt", "version"}
    | {"cache", "repair"}
)


@dataclass(frozen=True, slots=True)
class PlaygroundBody:
    """A body of the right shape; `asked` is checked further by the prompts' own rules."""

    asked: Asked
    values: dict[str, Any]
    cache: CacheWish | None = None
    repair_attempts: int | None = None


async def run_playground(serving: Serving, request: HttpRequest, send: Send, who: PlaygroundUser) -> None:
    """Stream a run. A client that goes away ends the call; what came until then is recorded."""
    body = parse_playground(await request.json())
    with serving.run_slot() as task:
        inline = await serving.runtime.calls.run(lambda: _inline(who, body.asked))
        run = playground_request(who, inline, body, request_id=request.request_id)
        log_fields.note_id("run_id", "run", run.run_id)
        exchange = RunExchange(request, send, run.run_id, livemode=True)
        pieces = serving.runtime.engine.stream(run)
        await unless_disconnected(request, stream_run(exchange, pieces), task)


def parse_playground(body: Any) -> PlaygroundBody:
    """Check a body's shape. Raises InvalidRequest naming the field."""
    body = fields.object_body(body, _FIELDS)
    content = VersionContent(
        messages=tuple(_objects(body, "messages")),
        variables=tuple(_objects(body, "variables")),
        model=typed(body, "model", str, ""),
        parameters=call_parameters(body),
        output_schema=typed(body, "output_schema", dict, None),
        tools=fields.tools(body) or (),
    )
    prompt = typed(body, "prompt", str, "")
    asked = Asked(content, prompt, fields.number(body, "version") if prompt else None)
    values: dict[str, Any] = typed(body, "values", dict, {})
    return PlaygroundBody(asked, values, cache_wish(body), repair_attempts(body))


def playground_request(
    who: PlaygroundUser, inline: InlinePrompt, body: PlaygroundBody, *, request_id: str
) -> RunRequest:
    """The run of a page's content, in the name of its user."""
    run_id: UUID = ids.uuid7()
    return RunRequest(
        run_id=run_id,
        organization_id=who.organization_id,
        project_id=who.project_id,
        source="playground",
        source_id=who.user_id,
        usage_key=f"run:{run_id}",
        inline=inline,
        variables=body.values,
        cache=body.cache,
        repair_attempts=body.repair_attempts,
        request_id=request_id,
        timeout_seconds=LONGEST_RUN_SECONDS,
    )


def _inline(who: PlaygroundUser, asked: Asked) -> InlinePrompt:
    with organization_scope(who.organization_id):
        return attributed(who.project_id, asked)


def _objects(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found: list[Any] = typed(body, name, list, [])
    for index, each in enumerate(found):
        if not isinstance(each, dict):
            raise InvalidRequest(f"{name} is a list of objects.", param=f"{name}.{index}")
    return found
