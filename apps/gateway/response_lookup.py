"""GET /v1/responses/<id>: a response that was given, or that is still made in the background."""

from typing import Any, Final

from apps.core.errors import NotFound
from apps.core.scope import organization_scope
from apps.gateway.chat_answers import failure
from apps.gateway.http import HttpRequest, JsonAnswer, Send, send_json
from apps.gateway.response_answers import recorded_response, waiting_response
from apps.gateway.serving import Serving
from apps.runs import queries
from apps.runs.background.queries import find_run_or_background
from apps.runs.models import BackgroundRun, Run
from apps.tenants.access import AccessFacts
from apps.tenants.roles import Permission

PREFIX: Final = "/v1/responses/"


async def show_response(serving: Serving, request: HttpRequest, send: Send, facts: AccessFacts) -> None:
    """Answer with a response by its run's id. Raises NotFound."""
    name = request.path.removeprefix(PREFIX)
    body = await serving.runtime.calls.run(lambda: _load(facts, name, request.request_id))
    await send_json(request, send, JsonAnswer(body))


def _load(facts: AccessFacts, name: str, request_id: str) -> dict[str, Any]:
    with organization_scope(facts.organization_id):
        run = find_run_or_background(facts.project_id, name)
        _demand_own(facts, run)
        if isinstance(run, BackgroundRun):
            return waiting_response(run)
        result = queries.load_result(facts.project_id, run.pk)
    told = None if result.error is None else failure(result, result.error).body(request_id)
    return recorded_response(result, metadata=run.metadata, background=run.background, error=told)


def _demand_own(facts: AccessFacts, run: Run | BackgroundRun) -> None:
    """A key reads what it has asked for itself; anything else only with the right to see runs."""
    if run.api_key_id != facts.api_key_id and Permission.RUNS_VIEW not in facts.permissions:
        raise NotFound("There is no such run in this project.", code="run_not_found")
