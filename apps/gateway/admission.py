"""The gateway's door: whose key it is, whether it may, how often it may."""

import hashlib
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from apps.audit.services import record_refused
from apps.core import rate_limits
from apps.core.errors import AuthenticationFailed, PermissionDenied
from apps.core.limit_bounds import Rate, Verdict
from apps.core.limit_groups import GroupedLimits
from apps.gateway.http import HttpRequest
from apps.gateway.limit_answers import tell_limits
from apps.runs.caches import ReadThroughCache
from apps.runs.limit_refusals import limit_refusal
from apps.runs.runtime import Runtime
from apps.tenants.access import (
    AccessFacts,
    authenticate_key_plain,
    key_actor,
    key_ended,
    mark_keys_used,
    refuse_network,
)
from apps.tenants.networks import allows
from apps.tenants.roles import Permission

LONGEST_HEADER: Final = 207
MINUTE: Final = 60
FAILURES_PER_MINUTE: Final = 60


class KeyDoor:
    """Admits requests by API key. Keys' facts are cached and fresh within a second."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._used: dict[UUID, str | None] = {}
        self._grouped: GroupedLimits | None = None
        self._keys: ReadThroughCache[bytes, AccessFacts] = ReadThroughCache(_tags)
        runtime.freshness.watch(self._keys)

    async def admit(self, request: HttpRequest, permission: str) -> AccessFacts:
        """The facts of the request's key. The answer's headers tell what is left of its limits.

        A request for a run owes its own: the run asks for them together with the prompt's, see `charge`.

        Raises AuthenticationFailed, RateLimited, PermissionDenied (audited), Unavailable.
        """
        facts = self._at_hand(request)
        if facts is None:
            facts = await self._find(request)
        key_id = facts.api_key_id
        if key_id not in self._used:
            self._used[key_id] = request.client_address
        request.owed = facts.limits.requests
        if permission != Permission.RUNS_CREATE or request.method != "POST":
            await self.charge(request)
        elif (refused := self._limits().refused_here(request.owed)) is not None:
            # Known to be used up: what floods us is turned away before its body is read.
            self._enforce(request, refused)
        if permission not in facts.permissions:
            await self._refuse(request, facts, permission)
        return facts

    async def charge(self, request: HttpRequest) -> None:
        """Ask the limits for what the request owes. Raises RateLimited."""
        if request.owed:
            self._enforce(request, await self._limits().take(request.owed))

    def collect(self, request: HttpRequest) -> None:
        """Charge what is still owed for a request that ended before a run was admitted."""
        grouped = self._limits()
        for take in request.owed:
            assert isinstance(take.bound, Rate)
            grouped.settle(take.bound, take.cost)
        tell_limits(request, grouped.known_here(request.owed))
        request.owed = ()

    def _limits(self) -> GroupedLimits:
        if self._grouped is None:
            self._grouped = rate_limits.grouped()
        return self._grouped

    def _enforce(self, request: HttpRequest, verdict: Verdict) -> None:
        request.owed = ()
        tell_limits(request, verdict)
        if not verdict.allowed:
            raise limit_refusal(verdict)

    async def mark_used(self) -> None:
        """Note which keys were used since the last call. Raises what the database raises."""
        used, self._used = self._used, {}
        if used:
            await self._runtime.calls.run(lambda: mark_keys_used(used))

    def _at_hand(self, request: HttpRequest) -> AccessFacts | None:
        """The warm path: a key that was checked before. None: it must be looked at closely."""
        header = request.headers.get(b"authorization")
        if header is None or len(header) > LONGEST_HEADER or not self._runtime.freshness.is_fresh():
            return None
        # By its digest: the cache keeps no secret, and what is compared says nothing of one.
        facts = self._keys.peek(hashlib.sha256(header).digest())
        if facts is None or facts.allowed_networks or facts.expires_at is not None:
            return None
        return facts

    async def _find(self, request: HttpRequest) -> AccessFacts:
        try:
            facts = await self._authenticate(request)
            await self._check_network(request, facts)
        except (AuthenticationFailed, PermissionDenied):
            await self._count_failure(request)
            raise
        return facts

    async def _authenticate(self, request: HttpRequest) -> AccessFacts:
        header = request.header(b"authorization")
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise AuthenticationFailed(
                "Send an API key as 'Authorization: Bearer psk_…'.", code="api_key_missing"
            )
        if len(header) > LONGEST_HEADER:
            raise AuthenticationFailed("This isn't an API key.", code="api_key_malformed")
        await self._runtime.freshness.demand()
        facts = await self._keys.get(
            hashlib.sha256(header.encode("latin-1")).digest(),
            lambda: self._runtime.calls.run(lambda: authenticate_key_plain(token, request.client_address)),
        )
        if facts.expires_at is not None and facts.expires_at <= datetime.now(UTC):
            raise key_ended("expired", facts.expires_at)
        return facts

    async def _check_network(self, request: HttpRequest, facts: AccessFacts) -> None:
        """Each request has an address of its own, whatever the cache says of the key."""
        address = request.client_address
        if not allows(facts.allowed_networks, address):
            raise await self._runtime.calls.run(
                lambda: refuse_network(facts, ip=address, request_id=request.request_id)
            )

    async def _count_failure(self, request: HttpRequest) -> None:
        """Failed keys are limited by address, together with those of the API."""
        address = request.client_address or "unknown"
        decision = await rate_limits.acheck("api_failed", address, FAILURES_PER_MINUTE, MINUTE)
        decision.enforce()

    async def _refuse(self, request: HttpRequest, facts: AccessFacts, permission: str) -> None:
        actor = key_actor(facts, ip=request.client_address, request_id=request.request_id)
        await self._runtime.calls.run(
            lambda: record_refused(
                actor=actor,
                action="access.refused",
                organization_id=facts.organization_id,
                reason=f"{permission} is missing for {request.method} {request.path[:200]}",
            )
        )
        raise PermissionDenied(
            f"This API key doesn't have the permission {permission}.",
            code="permission_missing",
            permission=permission,
        )


def _tags(digest: bytes, facts: AccessFacts) -> tuple[tuple[str, str], ...]:
    return (
        ("api_key", str(facts.api_key_id)),
        ("membership", str(facts.created_by_id)),
        ("project", str(facts.project_id)),
        ("organization", str(facts.organization_id)),
    )
