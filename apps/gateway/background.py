"""Runs that are accepted at once: checked like any other, then left to the workers, and answered with 202."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core import ids, log_fields
from apps.core.errors import NotFound
from apps.core.scope import organization_scope
from apps.gateway.http import HttpRequest, JsonAnswer, Send, send_json
from apps.gateway.running import claim_key, release_key
from apps.gateway.serving import Serving
from apps.runs.background.starting import start_background
from apps.runs.bodies import accepted_body
from apps.runs.idempotency import Replay
from apps.runs.models import BackgroundRun
from apps.runs.types import RunRequest
from apps.tenants.access import AccessFacts

Build = Callable[[UUID, UUID | None], RunRequest]


@dataclass(frozen=True, slots=True)
class BackgroundJob:
    """What a handler wants carried out: `build` makes the run of an id and a claim, `body` the answer."""

    build: Build
    fingerprint: bytes
    body: Callable[[BackgroundRun], dict[str, Any]] = accepted_body


async def serve_background(
    serving: Serving, request: HttpRequest, send: Send, facts: AccessFacts, job: BackgroundJob
) -> None:
    """Accept a run and answer 202; the same again under one Idempotency-Key has the same answer.

    What would be refused before a call is refused now, with nothing accepted. Raises core errors.
    """
    with serving.run_slot():
        await serving.door.charge(request)
        run_id = ids.uuid7()
        log_fields.note_id("run_id", "run", run_id)
        claim = await claim_key(serving, request, facts, job.fingerprint, run_id)
        if isinstance(claim, Replay):
            request.answer_headers[b"idempotent-replayed"] = b"true"
            run = await _accepted(serving, facts, claim.run_id)
        else:
            try:
                asked = job.build(run_id, claim.id if claim else None)
                await serving.runtime.engine.prepare(asked)
                run = await serving.runtime.calls.run(lambda: start_background(asked))
            except BaseException:
                if claim is not None:
                    await release_key(serving, claim)
                raise
    headers = {"Location": f"/api/v1/runs/{run.public_id}"}
    await send_json(request, send, JsonAnswer(job.body(run), status=202, headers=headers))


async def _accepted(serving: Serving, facts: AccessFacts, run_id: UUID) -> BackgroundRun:
    def load() -> BackgroundRun:
        with organization_scope(facts.organization_id):
            run = BackgroundRun.objects.filter(project_id=facts.project_id, pk=run_id).first()
        if run is None:
            raise NotFound("There is no such run in this project.", code="run_not_found")
        return run

    return await serving.runtime.calls.run(load)
