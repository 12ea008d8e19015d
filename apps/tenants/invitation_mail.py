"""The mail that carries an invitation's link. Written with the invitation, sent after the commit."""

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse

from apps.tenants.models import Invitation
from apps.tenants.roles import name_of_role


def send_invitation(invitation: Invitation, token: str) -> None:
    """Put the mail into the outbox, in the open transaction. The token stands in it and nowhere else."""
    context = {
        "organization": invitation.organization.name,
        "role": name_of_role(invitation),
        "inviter": invitation.invited_by.display_name if invitation.invited_by else "Somebody",
        "address": settings.PUBLIC_URL + reverse("tenants:invitation", args=[token]),
        "expires_at": invitation.expires_at,
        "email": invitation.email,
    }
    subject = f"{context['inviter']} invites you to {context['organization']}"
    body = render_to_string("tenants/mail/invitation.txt", context)
    # A line break would begin another header, and the mail be refused.
    EmailMessage(subject=" ".join(subject.split()), body=body, to=[invitation.email]).send()
