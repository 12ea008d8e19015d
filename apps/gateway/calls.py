"""What every call of the gateway asks for, whatever its body looked like, and the run that comes of it."""

from typing import Any, Protocol
from uuid import UUID

from apps.gateway.fields import LONGEST_RUN_SECONDS
from apps.gateway.http import HttpRequest
from apps.gateway.limit_answers import teller
from apps.runs.types import CacheWish, PromptReference, RunRequest
from apps.tenants.access import AccessFacts


class Call(Protocol):
    """A checked body."""

    @property
    def prompt(self) -> PromptReference | None: ...
    @property
    def model(self) -> str | None: ...
    @property
    def messages(self) -> tuple[dict[str, Any], ...]: ...
    @property
    def variables(self) -> dict[str, Any]: ...
    @property
    def parameters(self) -> dict[str, Any]: ...
    @property
    def metadata(self) -> dict[str, str]: ...
    @property
    def user(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def store(self) -> bool: ...
    @property
    def cache(self) -> CacheWish | None: ...
    @property
    def repair_attempts(self) -> int | None: ...
    @property
    def tools(self) -> tuple[dict[str, Any], ...] | None: ...


def run_request(
    call: Call, facts: AccessFacts, *, run_id: UUID, request: HttpRequest, claim: UUID | None = None
) -> RunRequest:
    """The run that a call asks for, in the name of a key."""
    return RunRequest(
        run_id=run_id,
        organization_id=facts.organization_id,
        project_id=facts.project_id,
        source="gateway",
        usage_key=f"run:{run_id}",
        prompt=call.prompt,
        model=call.model,
        messages=call.messages,
        variables=call.variables,
        overrides=call.parameters,
        metadata=call.metadata,
        user=call.user,
        unit=call.unit,
        record_payload=call.store,
        api_key_id=facts.api_key_id,
        request_id=request.request_id,
        livemode=facts.livemode,
        timeout_seconds=LONGEST_RUN_SECONDS,
        claim=claim,
        cache=call.cache,
        repair_attempts=call.repair_attempts,
        tools=call.tools,
        limits=facts.limits,
        tell_limits=teller(request),
        arrived=request.arrived,
    )
