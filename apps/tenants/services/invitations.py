"""Writes: invitations by e-mail. The link goes to the address and nowhere else; only its digest is stored."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import entitlements, errors, outbox
from apps.tenants.access import permissions_of
from apps.tenants.invitation_mail import send_invitation
from apps.tenants.invitation_tokens import digest, new_token
from apps.tenants.models import Invitation, Membership, Organization, User
from apps.tenants.roles import Permission, name_of_role, permissions_of_role
from apps.tenants.services.common import GivenRole, check_may_give, find_role, insert_membership

LIFETIME: Final = timedelta(days=7)
MOST_AT_ONCE: Final = 50
LONGEST_EMAIL: Final = 254
SEATS: Final = "seats"


@dataclass(frozen=True, slots=True)
class InvitationOutcome:
    """What became of one address; `problem` says why nothing was sent."""

    email: str
    invitation: Invitation | None = None
    problem: str = ""


def invite(
    *, actor: Actor, organization: Organization, invited_by: User, email: str, role: str
) -> Invitation:
    """Invite an address; ``role`` is a built-in name or a ``rol_…`` id. The link works for seven days.

    An expired invitation of the same address is sent again. Raises InvalidRequest for a bad address,
    Conflict for a member or an open invitation, PermissionDenied for a role above the actor's.
    """
    email = _checked_email(email)
    given = find_role(role)
    check_may_give(actor, organization.id, given)
    if Membership.objects.filter(user__email__iexact=email).exists():
        raise errors.Conflict("This person is already a member.", code="already_a_member", param="email")
    entitlements.require(organization.id, SEATS)
    waiting = _open_invitations().filter(email__iexact=email).first()
    if waiting is None:
        waiting = Invitation(organization=organization, email=email)
    elif waiting.expires_at > timezone.now():
        raise errors.Conflict(
            "This address has an open invitation. Send it again instead.",
            code="already_invited",
            param="email",
        )
    waiting.role, waiting.custom_role = given.role, given.custom_role
    return _send(actor, waiting, invited_by, "invitation.created")


def invite_many(
    *, actor: Actor, organization: Organization, invited_by: User, emails: list[str], role: str
) -> list[InvitationOutcome]:
    """Invite several addresses with one role, each on its own: what is wrong with one stops no other.

    Raises InvalidRequest for none or more than 50, PermissionDenied for a role above the actor's.
    """
    unique = list({email.strip().lower(): None for email in emails if email.strip()})
    if not unique:
        raise errors.InvalidRequest("Enter at least one address.", param="emails")
    if len(unique) > MOST_AT_ONCE:
        raise errors.InvalidRequest(f"Invite at most {MOST_AT_ONCE} addresses at once.", param="emails")
    check_may_give(actor, organization.id, find_role(role))
    outcomes = []
    for email in unique:
        try:
            sent = invite(
                actor=actor, organization=organization, invited_by=invited_by, email=email, role=role
            )
        except (errors.InvalidRequest, errors.Conflict) as problem:
            outcomes.append(InvitationOutcome(email, problem=problem.message))
        else:
            outcomes.append(InvitationOutcome(sent.email, sent))
    return outcomes


def resend_invitation(*, actor: Actor, invitation: Invitation, invited_by: User) -> Invitation:
    """Send a new link for seven more days; the old link is dead. Who sends it, vouches for it.

    Raises Conflict for one that was used or withdrawn, PermissionDenied for a role above the actor's.
    """
    locked = _locked(invitation)
    check_may_give(actor, locked.organization_id, GivenRole(locked.role, locked.custom_role))
    if locked.accepted_at is not None or locked.revoked_at is not None:
        raise errors.Conflict(
            "This invitation was used or withdrawn. Make a new one.", code="invitation_ended"
        )
    return _send(actor, locked, invited_by, "invitation.resent")


def revoke_invitation(*, actor: Actor, invitation: Invitation) -> Invitation:
    """Withdraw an invitation; its link is dead. Twice changes nothing. Raises Conflict for a used one."""
    locked = _locked(invitation)
    if locked.accepted_at is not None:
        raise errors.Conflict("This invitation was used; remove the member instead.", code="invitation_ended")
    if locked.revoked_at is not None:
        return locked
    locked.revoked_at = timezone.now()
    locked.save(update_fields=["revoked_at"])
    audit.record(
        actor=actor,
        action="invitation.revoked",
        target=locked,
        organization_id=locked.organization_id,
        target_name=locked.email,
    )
    return locked


def accept_invitation(*, actor: Actor, invitation: Invitation, user: User) -> Membership:
    """Make the invited person a member. Call it inside the invitation's organization.

    `invitation` is as its link found it; it must still be open, and whoever sent it must still have the
    right to. Raises Conflict otherwise, PermissionDenied for somebody else's address.
    """
    locked = _locked(invitation)
    if bytes(locked.digest) != bytes(invitation.digest) or locked.revoked_at is not None:
        raise errors.Conflict("This invitation was replaced or withdrawn.", code="invitation_ended")
    if locked.accepted_at is not None:
        raise errors.Conflict("This invitation was used already.", code="invitation_ended")
    if locked.expires_at <= timezone.now():
        raise errors.Conflict("This invitation has expired.", code="invitation_expired")
    if not owns_address(user, locked.email):
        raise errors.PermissionDenied(
            "This invitation was sent to another address.", code="invitation_not_yours"
        )
    _check_sender(locked)
    entitlements.require(locked.organization_id, SEATS)
    given = GivenRole(locked.role, locked.custom_role)
    membership = insert_membership(actor=actor, organization=locked.organization, user=user, given=given)
    locked.accepted_at, locked.accepted_by = timezone.now(), user
    locked.save(update_fields=["accepted_at", "accepted_by"])
    audit.record(
        actor=actor,
        action="invitation.accepted",
        target=locked,
        organization_id=locked.organization_id,
        target_name=locked.email,
    )
    return membership


def owns_address(user: User, email: str) -> bool:
    """Whether an address is one that the user has proved to be theirs."""
    return bool(EmailAddress.objects.filter(user=user, email__iexact=email, verified=True).exists())


def _send(actor: Actor, invitation: Invitation, invited_by: User, action: str) -> Invitation:
    token, now = new_token(), timezone.now()
    invitation.digest, invitation.invited_by = digest(token), invited_by
    invitation.sent_at, invitation.expires_at = now, now + LIFETIME
    try:
        with transaction.atomic():
            invitation.save()
    except IntegrityError:
        raise errors.Conflict(
            "This address was invited just now.", code="already_invited", param="email"
        ) from None
    send_invitation(invitation, token)
    audit.record(
        actor=actor,
        action=action,
        target=invitation,
        organization_id=invitation.organization_id,
        changes={"role": (None, name_of_role(invitation)), "expires_at": (None, invitation.expires_at)},
        target_name=invitation.email,
    )
    payload = {"id": invitation.public_id, "role": name_of_role(invitation), "actor": actor.told()}
    outbox.write("member.invited", payload, invitation.organization_id)
    return invitation


def _open_invitations() -> QuerySet[Invitation]:
    rows = Invitation.objects.select_related("organization", "custom_role").select_for_update(of=("self",))
    return rows.filter(accepted_at=None, revoked_at=None)


def _locked(invitation: Invitation) -> Invitation:
    rows = Invitation.objects.select_related("organization", "custom_role").select_for_update(of=("self",))
    return rows.get(id=invitation.id)


def _checked_email(email: str) -> str:
    email = email.strip().lower()
    try:
        if len(email) > LONGEST_EMAIL:
            raise ValidationError("too long")
        validate_email(email)
    except ValidationError:
        raise errors.InvalidRequest("This isn't an e-mail address.", param="email") from None
    return email


def _check_sender(invitation: Invitation) -> None:
    """An invitation is worth what its sender may still do: somebody removed or demoted lets nobody in."""
    _, held = permissions_of(
        organization_id=invitation.organization_id, user_id=invitation.invited_by_id, project_id=None
    )
    if not permissions_of_role(invitation) | {Permission.MEMBERS_MANAGE} <= held:
        raise errors.Conflict(
            "Whoever sent this invitation may no longer invite. Ask another member to send it again.",
            code="invitation_ended",
        )
