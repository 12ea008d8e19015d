"""What the pages of privacy share."""

from collections.abc import Sequence

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from apps.core import rate_limits
from apps.retention import queries
from apps.retention.web import presenting
from apps.tenants.models import Project
from apps.tenants.queries import projects
from apps.tenants.roles import Permission
from apps.tenants.web.base import OrganizationView


class PrivacyPage(OrganizationView, abstract=True):
    """A page under the settings' tab "Privacy"."""

    def here(self, name: str, *args: str) -> str:
        """The address of a page of this organization's privacy."""
        return reverse(f"retention:{name}", args=[self.organization.slug, *args])

    def back(self) -> HttpResponse:
        """On to the page of all policies."""
        return redirect(self.here("policy"))

    def all_projects(self) -> Sequence[Project]:
        """The organization's projects, by name."""
        return list(projects().order_by("name", "id"))

    def counted(self) -> queries.DryRun:
        """What would go now. Raises RateLimited for somebody who asks again and again."""
        limit = queries.COUNTS_PER_MINUTE
        rate_limits.check("retention_dry_run", str(self.user.id), limit, 60).enforce()
        return queries.dry_run(self.organization)

    def policy_page(self, *, status: int = 200, **more: object) -> HttpResponse:
        """What is kept for how long, with the dialog that a form stands in, if any."""
        settings = queries.load_settings(self.organization.pk)
        manages = self.access.can(Permission.PRIVACY_MANAGE)
        every = self.all_projects()
        context = {
            "classes": presenting.class_rows(settings, self.organization, every),
            "stays": presenting.stays(timezone.now()),
            "purges": presenting.purge_rows(queries.recent_purges()),
            "holds": list(queries.open_holds()) if manages else [],
            "hold_count": len(settings.holds),
            "may_manage": manages,
            "may_delete": self.access.can(Permission.ORGANIZATION_DELETE),
            **more,
        }
        return self.render("retention/policy.html", context, status=status)
