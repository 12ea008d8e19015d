"""The switch for the organization's second-factor rule; it stands on the organization's settings page."""

from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core import errors
from apps.tenants.account_queries import users_with_mfa
from apps.tenants.models import Membership, Organization, User
from apps.tenants.roles import Permission
from apps.tenants.services import mfa_rule
from apps.tenants.web.base import OrganizationView


def mfa_rule_context(organization: Organization, user: User) -> dict[str, Any]:
    """What ``tenants/mfa_rule.html`` shows, as ``mfa``; two statements, inside the organization's scope."""
    members = list(Membership.objects.filter(user__is_active=True).values_list("user_id", flat=True))
    have = users_with_mfa(members)
    return {
        "required": organization.requires_mfa,
        "missing": len(members) - len(have),
        "members": len(members),
        "own": user.id in have,
    }


class MfaRuleView(OrganizationView):
    """Turn the rule on or off, then back to the settings."""

    permissions: ClassVar = {"POST": Permission.ORGANIZATION_MANAGE}

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        required = request.POST.get("required") == "yes"
        try:
            mfa_rule.set_mfa_rule(actor=self.access.actor, organization=self.organization, required=required)
        except errors.Conflict as conflict:
            messages.error(request, conflict.message)
        else:
            words = (
                "Every member needs a second factor now."
                if required
                else "A second factor is each member's choice now."
            )
            messages.info(request, words)
        return redirect("tenants:settings", organization=organization)
