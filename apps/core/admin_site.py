"""The staff's admin site."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse


class StaffSite(admin.AdminSite):
    """Takes read-only pages only: what libraries register would write past services and audit."""

    site_header = site_title = "promptsaas staff"
    index_title = "Everything, read only"

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        if getattr(admin_class, "is_read_only", False):
            super().register(model_or_iterable, admin_class, **options)

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to everybody's page: it audits the change, tells the person and ends other sessions."""
        return HttpResponseRedirect(reverse("account_change_password"))
