"""The invitation door: which invitation a link's token names, across organizations.

One of the four places that look across organizations; it reads under the system scope.
"""

import hmac
from dataclasses import dataclass
from typing import Final

from django.utils import timezone

from apps.core.scope import system_scope
from apps.tenants.account_queries import has_account
from apps.tenants.invitation_tokens import LENGTH, digest
from apps.tenants.models import Invitation, Membership, User
from apps.tenants.roles import ROLE_DESCRIPTIONS, Role, name_of_role

OPEN: Final = "open"
EXPIRED: Final = "expired"
REVOKED: Final = "revoked"
ACCEPTED: Final = "accepted"


@dataclass(frozen=True, slots=True)
class FoundInvitation:
    """An invitation as its link shows it; ``has_account`` is of the invited address."""

    invitation: Invitation
    state: str
    organization: str
    organization_slug: str
    role: str
    role_description: str
    inviter: str
    has_account: bool


def find_invitation(token: str) -> FoundInvitation | None:
    """The invitation that a token opens; None for an unknown or replaced one. Opens the system scope."""
    wanted = digest(token)
    with system_scope():
        rows = Invitation.all_organizations.select_related("organization", "invited_by", "custom_role")
        found = rows.filter(digest=wanted).first() if len(token) == LENGTH else None
        if found is None or not hmac.compare_digest(bytes(found.digest), wanted):
            return None
        known = has_account(found.email)
    own = found.custom_role
    return FoundInvitation(
        invitation=found,
        state=state_of(found),
        organization=found.organization.name,
        organization_slug=found.organization.slug,
        role=name_of_role(found),
        role_description=own.description if own else ROLE_DESCRIPTIONS[Role(found.role)],
        inviter=found.invited_by.display_name if found.invited_by else "",
        has_account=known,
    )


def is_member(found: FoundInvitation, user: User) -> bool:
    """Whether a user belongs to the inviting organization already. Opens the system scope."""
    with system_scope():
        return Membership.all_organizations.filter(
            organization_id=found.invitation.organization_id, user=user
        ).exists()


def state_of(invitation: Invitation) -> str:
    """Whether an invitation is open, expired, revoked or accepted."""
    if invitation.accepted_at is not None:
        return ACCEPTED
    if invitation.revoked_at is not None:
        return REVOKED
    return EXPIRED if invitation.expires_at <= timezone.now() else OPEN
