"""From a claim to the run it stands for, with the rights that its key has now."""

from dataclasses import replace
from typing import Final

from apps.core.crypto import SealBroken
from apps.core.errors import Conflict, PermissionDenied
from apps.core.scope import organization_scope
from apps.runs.background import requests
from apps.runs.background.leases import Claim
from apps.runs.types import RunRequest
from apps.tenants.access import reopen_key
from apps.tenants.roles import Permission

LONGEST_RUN_SECONDS: Final = 300.0
"""Nobody holds a connection open meanwhile, so a background run may take longer than another."""


def request_of(claim: Claim) -> RunRequest:
    """The run of a claim. Opens its own scopes.

    Raises AuthenticationFailed for a key that has ended since, PermissionDenied for one that may not run any
    more, Conflict for a request that can't be read.
    """
    facts = reopen_key(claim.api_key_id)
    if facts.project_id != claim.project_id or Permission.RUNS_CREATE not in facts.permissions:
        raise PermissionDenied(
            "The API key may not run prompts any more.",
            code="permission_missing",
            permission=Permission.RUNS_CREATE,
        )
    with organization_scope(claim.organization_id):
        try:
            packed = requests.unseal(claim.organization_id, claim.id, bytes(claim.sealed_request))
        except SealBroken:
            raise Conflict("What was asked for can't be read any more.", code="request_unreadable") from None
    return RunRequest(
        run_id=claim.id,
        organization_id=claim.organization_id,
        project_id=claim.project_id,
        source="gateway",
        usage_key=f"run:{claim.id}",
        api_key_id=claim.api_key_id,
        livemode=claim.livemode,
        timeout_seconds=LONGEST_RUN_SECONDS,
        background=True,
        # The request was charged when it was accepted.
        limits=replace(facts.limits, requests=()),
        **requests.unpack(packed),
    )
