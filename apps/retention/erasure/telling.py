"""Mails about an organization's deletion: to its owners when it is asked for, to who asked at its end."""

from datetime import UTC

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from apps.retention.erasure.certificates import as_text, certificate
from apps.retention.models import ErasureRequest
from apps.tenants.models import Membership, Organization
from apps.tenants.roles import Role


def tell_owners(request: ErasureRequest, organization: Organization) -> None:
    """Whoever may call it off hears of it; in the organization's scope."""
    owners = Membership.objects.select_related("user").filter(role=Role.OWNER, user__is_active=True)
    asker = request.requested_by.display_name if request.requested_by else "Somebody"
    context = {
        "asker": asker,
        "organization": organization.name,
        "execute_after": request.execute_after.astimezone(UTC),
        "address": settings.PUBLIC_URL
        + reverse("retention:erasure-detail", args=[organization.slug, request.public_id]),
    }
    with timezone.override(UTC):
        body = render_to_string("retention/mail/deletion.txt", context)
    subject = " ".join(f"{organization.name} is to be deleted".split())
    for owner in owners.order_by("pk"):
        EmailMessage(subject=subject, body=body, to=[owner.user.email]).send()


def tell_requester(request: ErasureRequest) -> None:
    """The certificate to who asked: nobody can open the organization's pages now."""
    person = request.requested_by
    if person is not None and person.is_active:
        text = as_text(certificate(request))
        EmailMessage(subject="The organization has been deleted", body=text, to=[person.email]).send()
