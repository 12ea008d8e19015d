"""The audit log: the list with its filters and file, and each event at an address of its own."""

from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from apps.audit import queries as audit_queries
from apps.audit import trail
from apps.audit.trail import ShownEvent
from apps.core import errors
from apps.core.models import find
from apps.tenants.roles import Permission
from apps.tenants.web import audit_listing
from apps.tenants.web.audit_listing import AUDIT, value_text
from apps.tenants.web.base import OrganizationView


class AuditView(OrganizationView):
    """Who did what, when, from where."""

    permissions: ClassVar = {"GET": Permission.AUDIT_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponseBase:
        asked = AUDIT.read(request.GET)
        found = audit_listing.find(self.organization.id, asked)
        return self.list_page(AUDIT, asked, found, "tenants/audit.html")


class AuditEventView(OrganizationView):
    """One event, whole, at an address that can be passed on."""

    permissions: ClassVar = {"GET": Permission.AUDIT_VIEW}

    def get(self, request: HttpRequest, event: str, **_: str) -> HttpResponse:
        row = find(audit_queries.events(self.organization.id), event)
        if row is None:
            raise errors.NotFound("There is no such event in this organization.")
        return self.render("tenants/audit_event.html", self._context(trail.shown([row])[0]))

    def _context(self, row: ShownEvent) -> dict[str, Any]:
        changes = [
            {
                "field": change.field,
                "before": value_text(change.before),
                "after": value_text(change.after),
                "erased": change.erased,
            }
            for change in row.changes
        ]
        return {"row": row, "event": row.event, "changes": changes}
