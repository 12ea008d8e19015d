"""The door of the playground's address: whose token it is, and what that person may do by now."""

from typing import Final

from apps.audit.services import record_refused
from apps.core import rate_limits
from apps.core.errors import AuthenticationFailed, PermissionDenied
from apps.core.limit_bounds import bounds_of
from apps.core.scope import system_scope
from apps.gateway.admission import FAILURES_PER_MINUTE, MINUTE
from apps.gateway.http import HttpRequest
from apps.gateway.limit_answers import tell_limits
from apps.runs.caches import ReadThroughCache
from apps.runs.limit_refusals import limit_refusal
from apps.runs.playground_tokens import PlaygroundUser, read_token
from apps.runs.runtime import Runtime
from apps.tenants.access import permissions_of, user_actor
from apps.tenants.models import User
from apps.tenants.roles import Permission

RUNS_PER_MINUTE: Final = 240


class PlaygroundDoor:
    """Admits the playground's tokens. A right that was taken away ends within a second."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._rights: ReadThroughCache[PlaygroundUser, tuple[str, frozenset[str]]] = ReadThroughCache(
            lambda who, _: (("membership", str(who.user_id)), ("project", str(who.project_id)))
        )
        runtime.freshness.watch(self._rights)

    async def admit(self, request: HttpRequest) -> PlaygroundUser:
        """Who asks. Raises AuthenticationFailed, RateLimited, PermissionDenied (audited), Unavailable."""
        scheme, _, token = request.header(b"authorization").partition(" ")
        try:
            who = read_token(token.strip() if scheme.lower() == "bearer" else "")
        except AuthenticationFailed:
            address = request.client_address or "unknown"
            failed = await rate_limits.acheck("api_failed", address, FAILURES_PER_MINUTE, MINUTE)
            failed.enforce()
            raise
        verdict = await rate_limits.take_all(
            bounds_of("playground", str(who.user_id), requests=RUNS_PER_MINUTE).requests
        )
        tell_limits(request, verdict)
        if not verdict.allowed:
            raise limit_refusal(verdict)
        await self._runtime.freshness.demand()
        role, held = await self._rights.get(who, lambda: self._runtime.calls.run(lambda: _rights_of(who)))
        if Permission.RUNS_CREATE not in held:
            await self._refuse(request, who, role)
        return who

    async def _refuse(self, request: HttpRequest, who: PlaygroundUser, role: str) -> None:
        def record() -> None:
            user = User.objects.get(pk=who.user_id)
            ip, request_id = request.client_address, request.request_id
            record_refused(
                actor=user_actor(user, role=role, ip=ip, request_id=request_id),
                action="access.refused",
                organization_id=who.organization_id,
                reason=f"{Permission.RUNS_CREATE} is missing for {request.method} {request.path}",
            )

        await self._runtime.calls.run(record)
        raise PermissionDenied(
            f"You don't have the permission {Permission.RUNS_CREATE} any more.",
            code="permission_missing",
            permission=Permission.RUNS_CREATE,
        )


def _rights_of(who: PlaygroundUser) -> tuple[str, frozenset[str]]:
    with system_scope():
        return permissions_of(
            organization_id=who.organization_id, user_id=who.user_id, project_id=who.project_id
        )
