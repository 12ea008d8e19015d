"""Pages of erasure: the list, asking for one, following it, its certificate, deleting the organization."""

import json
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from apps.core import errors
from apps.retention.erasure import reading, requests
from apps.retention.erasure.certificates import as_text, certificate
from apps.retention.inventory_table import groups
from apps.retention.models import ErasureKind, ErasureRequest, ErasureState
from apps.retention.web.erasure_forms import DeleteOrganizationForm, EndUserForm, MemberForm
from apps.retention.web.erasure_list import ERASURES
from apps.tenants.roles import Permission
from apps.tenants.web.base import OrganizationView

STOP_POLLING: Final = 286
POLL_SECONDS: Final = 3


class ErasurePage(OrganizationView, abstract=True):
    """A page about erasure."""

    def here(self, view: str, *args: str) -> str:
        """The address of a page of this organization's privacy."""
        return reverse(f"retention:{view}", args=[self.organization.slug, *args])

    def shell(self) -> dict[str, Any]:
        """The frame's context, and whether the page of deletion may be linked."""
        return {**super().shell(), "may_delete": self.access.can(Permission.ORGANIZATION_DELETE)}

    def asked(self, request: ErasureRequest) -> HttpResponse:
        """On to the erasure that was just asked for."""
        messages.success(self.request, "The erasure is noted.")
        return redirect(self.here("erasure-detail", request.public_id))


class ErasuresView(ErasurePage):
    """Every erasure that was asked for."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponseBase:
        asked = ERASURES.read(request.GET)
        found = reading.erasures(
            self.organization.pk,
            kind=asked.filters["kind"],
            state=asked.filters["state"],
            search=asked.search,
        )
        context = {"holds": reading.standing_holds()}
        return self.list_page(ERASURES, asked, found, "retention/erasures.html", context)


class NewErasurePage(ErasurePage, abstract=True):
    """A form that asks for an erasure, beside what goes and what stays."""

    kind: ClassVar[ErasureKind]
    form_class: ClassVar[type[forms.Form]]
    title: ClassVar[str]

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self._page(self.form_class())

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        form = self.form_class(request.POST)
        if not form.is_valid():
            return self._page(form, status=422)
        try:
            return self.asked(self.ask(form))
        except errors.PromptsaasError as problem:
            form.add_error(problem.param if problem.param in form.fields else None, problem.message)
            return self._page(form, status=problem.status if problem.status in {409, 403} else 422)

    def ask(self, form: Any) -> ErasureRequest:
        """Ask for the erasure that the form describes."""
        raise NotImplementedError

    def _page(self, form: forms.Form, status: int = 200) -> HttpResponse:
        goes, stays = groups(self.kind)
        context = {
            "form": form,
            "title": self.title,
            "goes": goes,
            "stays": stays,
            "holds": reading.standing_holds(),
        }
        return self.render("retention/new_erasure.html", context, status=status)


class EraseEndUserView(NewErasurePage):
    """Ask for the erasure of an end user."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE, "POST": Permission.PRIVACY_MANAGE}
    kind = ErasureKind.END_USER
    form_class = EndUserForm
    title = "Erase an end user"

    def ask(self, form: EndUserForm) -> ErasureRequest:
        given = form.cleaned_data
        return requests.request_end_user_erasure(
            actor=self.access.actor,
            organization=self.organization,
            end_user=given["end_user"],
            search=form.search(),
            reason=given["reason"],
            delay=given["delay"],
        )


class EraseMemberView(NewErasurePage):
    """Ask for the erasure of a member."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE, "POST": Permission.PRIVACY_MANAGE}
    kind = ErasureKind.MEMBER
    form_class = MemberForm
    title = "Erase a member"

    def ask(self, form: MemberForm) -> ErasureRequest:
        given = form.cleaned_data
        return requests.request_member_erasure(
            actor=self.access.actor,
            organization=self.organization,
            member=given["member"],
            search_texts=given["search_texts"],
            reason=given["reason"],
            delay=given["delay"],
        )


class ErasureView(ErasurePage):
    """One erasure: how far it is, what was found, the certificate."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE}

    def get(self, request: HttpRequest, erasure: str, **_: str) -> HttpResponse:
        return self.detail(reading.get_erasure(erasure))

    def detail(self, found: ErasureRequest, status: int = 200, **more: object) -> HttpResponse:
        """The page, with a dialog over it where one is given."""
        return self.render("retention/erasure.html", {**self.context(found), **more}, status=status)

    def context(self, found: ErasureRequest) -> dict[str, Any]:
        """What the page and its moving part show."""
        deletes = found.kind == ErasureKind.ORGANIZATION
        return {
            "erasure": found,
            "state": reading.progress_of(found, reading.standing_holds()),
            "subject": reading.shown_subject(found),
            "stays": groups(found.kind)[1],
            "interval": POLL_SECONDS,
            "may_cancel": found.state == ErasureState.PENDING
            and (not deletes or self.access.can(Permission.ORGANIZATION_DELETE)),
            "progress_address": self.here("erasure-progress", found.public_id),
        }


class ErasureProgressView(ErasureView):
    """What moves on the page of an erasure; 286 ends the polling."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE}

    def get(self, request: HttpRequest, erasure: str, **_: str) -> HttpResponse:
        found = reading.get_erasure(erasure)
        status = 200 if found.is_open else STOP_POLLING
        return self.render("retention/erasure.html#live", self.context(found), status=status)


class CancelErasureView(ErasureView):
    """Call an erasure off."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE, "POST": Permission.PRIVACY_MANAGE}

    def get(self, request: HttpRequest, erasure: str, **_: str) -> HttpResponse:
        return self.detail(reading.get_erasure(erasure), cancelling=True)

    def post(self, request: HttpRequest, erasure: str, **_: str) -> HttpResponse:
        found = reading.get_erasure(erasure)
        if found.kind == ErasureKind.ORGANIZATION and not self.access.can(Permission.ORGANIZATION_DELETE):
            return self.detail(
                found, status=403, cancelling=True, problem="Only an owner can call off the deletion."
            )
        try:
            requests.cancel_erasure(actor=self.access.actor, request=found)
        except errors.Conflict as problem:
            return self.detail(found, status=409, cancelling=True, problem=problem.message)
        messages.success(request, "The erasure is called off. Nothing was erased.")
        return redirect(self.here("erasure-detail", found.public_id))


class CertificateView(ErasurePage):
    """The certificate as a file: JSON, or plain text to read."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE}

    def get(self, request: HttpRequest, erasure: str, ending: str, **_: str) -> HttpResponse:
        found = reading.get_erasure(erasure)
        if found.state != ErasureState.DONE or ending not in {"json", "txt"}:
            raise errors.NotFound("There is a certificate once the erasure is done.", code="erasure_not_done")
        told = certificate(found)
        if ending == "json":
            body, kind = json.dumps(told, indent=2, ensure_ascii=False) + "\n", "application/json"
        else:
            body, kind = as_text(told), "text/plain; charset=utf-8"
        name = f"erasure-{found.public_id}.{ending}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return HttpResponse(body, content_type=kind, headers=headers)


class DeleteOrganizationView(ErasurePage):
    """Delete the whole organization: typed name, seven days in which it can be called off."""

    permissions: ClassVar = {"GET": Permission.ORGANIZATION_DELETE, "POST": Permission.ORGANIZATION_DELETE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self._page(DeleteOrganizationForm(expected=self.organization.name))

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        form = DeleteOrganizationForm(request.POST, expected=self.organization.name)
        if not form.is_valid():
            return self._page(form, status=422)
        try:
            made = requests.request_organization_erasure(
                actor=self.access.actor,
                organization=self.organization,
                confirmation=form.cleaned_data["confirmation"],
                reason=form.cleaned_data["reason"],
            )
        except errors.PromptsaasError as problem:
            form.add_error(problem.param if problem.param in form.fields else None, problem.message)
            return self._page(form, status=409 if problem.status == 409 else 422)
        return self.asked(made)

    def _page(self, form: DeleteOrganizationForm, status: int = 200) -> HttpResponse:
        goes, stays = groups(ErasureKind.ORGANIZATION)
        context = {
            "form": form,
            "pending": reading.pending_deletion(),
            "goes": goes,
            "stays": stays,
            "holds": reading.standing_holds(),
            "days": requests.GRACE.days,
        }
        return self.render("retention/delete_organization.html", context, status=status)
