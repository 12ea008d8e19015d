"""Pages of export: archives of everything, asking for one, fetching and deleting it."""

from typing import Any, ClassVar, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect

from apps.core import errors
from apps.retention import services
from apps.retention.exports import downloading, reading
from apps.retention.exports.kinds import AREAS, LEFT_OUT
from apps.retention.exports.standing import facts_of
from apps.retention.exports.writing import KEPT
from apps.retention.models import ExportState, OrganizationExport
from apps.retention.web.base import PrivacyPage
from apps.tenants.roles import Permission

STOP_POLLING: Final = 286
POLL_SECONDS: Final = 3
SHOWN: Final = 20


class ExportPage(PrivacyPage, abstract=True):
    """The page of archives, and what the dialog over it shares."""

    def shell(self) -> dict[str, Any]:
        """The frame's context, and whether the page of deletion may be linked."""
        return {**super().shell(), "may_delete": self.access.can(Permission.ORGANIZATION_DELETE)}

    def page(self, status: int = 200, **more: object) -> HttpResponse:
        """The page, with a dialog over it where one is given."""
        context = {
            **self.live(),
            "areas": AREAS,
            "left_out": LEFT_OUT,
            "days": KEPT.days,
            **more,
        }
        return self.render("retention/exports.html", context, status=status)

    def live(self) -> dict[str, Any]:
        """The newest archives as they stand; whether one is being made."""
        found = list(reading.exports().order_by("-pk")[:SHOWN])
        facts = facts_of(found)
        rows = [{"export": each, "progress": reading.progress_of(each, facts)} for each in found]
        return {
            "rows": rows,
            "is_making": any(each.is_under_way for each in found),
            "interval": POLL_SECONDS,
            "progress_address": self.here("export-progress"),
        }


class ExportsView(ExportPage):
    """What an archive holds, the archives there are, and asking for another."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE, "POST": Permission.PRIVACY_MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self.page()

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        try:
            services.request_export(actor=self.access.actor, organization=self.organization)
        except errors.Conflict as problem:
            return self.page(status=409, problem=problem.message)
        messages.success(request, "The archive is being made. You may leave this page.")
        return redirect(self.here("export"))


class ExportProgressView(ExportPage):
    """The list of archives while one is made; 286 ends the polling."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        live = self.live()
        status = 200 if live["is_making"] else STOP_POLLING
        return self.render("retention/exports.html#live", live, status=status)


class DownloadExportView(ExportPage):
    """The archive as a ZIP file, whole or in parts."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE}

    def get(self, request: HttpRequest, export: str, **_: str) -> HttpResponseBase:
        found = reading.get_export(export)
        answer = downloading.answer(request, downloading.archive_of(found))
        if answer.status_code in downloading.SENT and request.method == "GET":
            services.note_download(actor=self.access.actor, export=found)
        return answer


class DeleteExportView(ExportPage):
    """Delete an archive, or stop making it."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE, "POST": Permission.PRIVACY_MANAGE}

    def get(self, request: HttpRequest, export: str, **_: str) -> HttpResponse:
        found = reading.get_export(export)
        return self.page(deleting=found, deleting_is_ready=_is_ready(found))

    def post(self, request: HttpRequest, export: str, **_: str) -> HttpResponse:
        services.delete_export(actor=self.access.actor, export=reading.get_export(export))
        messages.success(request, "The archive is deleted.")
        return redirect(self.here("export"))


def _is_ready(export: OrganizationExport) -> bool:
    return facts_of([export]).state_of(export) == ExportState.READY
