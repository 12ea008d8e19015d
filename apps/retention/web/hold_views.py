"""Placing and releasing legal holds; those who manage privacy see why."""

from typing import ClassVar, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from apps.core import errors
from apps.prompts.models import Prompt
from apps.retention import queries, services
from apps.retention.models import LegalHold
from apps.retention.web.base import PrivacyPage
from apps.retention.web.forms import HoldForm, ReleaseForm
from apps.tenants.models import Project
from apps.tenants.roles import Permission

MOST_HOLDS: Final = 200
_MANAGE: Final[dict[str, str]] = {"GET": Permission.PRIVACY_MANAGE, "POST": Permission.PRIVACY_MANAGE}


class HoldsView(PrivacyPage):
    """Every hold there was, with who placed and released it, and why."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self.render("retention/holds.html", {"holds": list(queries.holds()[:MOST_HOLDS])})


class NewHoldView(PrivacyPage):
    """Keep a project, or one of its prompts, from being deleted."""

    permissions: ClassVar = _MANAGE

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self._page(HoldForm(projects=list(self.all_projects())))

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        projects = {each.public_id: each for each in self.all_projects()}
        form = HoldForm(request.POST, projects=list(projects.values()))
        if not form.is_valid():
            return self._page(form, status=422)
        chosen = form.cleaned_data
        project = projects[chosen["project"]]
        prompt = _named(project, chosen["prompt"])
        if chosen["prompt"].strip() and prompt is None:
            form.add_error("prompt", f"{project.name} has no prompt of this name.")
            return self._page(form, status=422)
        try:
            services.place_hold(
                actor=self.access.actor, project=project, prompt=prompt, reason=chosen["reason"]
            )
        except (errors.Conflict, errors.InvalidRequest) as problem:
            form.add_error(None, problem.message)
            return self._page(form, status=422)
        covered = f"the prompt {prompt.name}" if prompt else f"the project {project.name}"
        messages.info(request, f"From now on no policy deletes anything of {covered}.")
        return self.back()

    def _page(self, form: HoldForm, status: int = 200) -> HttpResponse:
        return self.render("retention/new_hold.html", {"form": form}, status=status)


class ReleaseHoldView(PrivacyPage):
    """Let policies delete again; the hold stays on record."""

    permissions: ClassVar = _MANAGE

    def get(self, request: HttpRequest, hold: str, **_: str) -> HttpResponse:
        return self._page(queries.get_hold(hold), ReleaseForm())

    def post(self, request: HttpRequest, hold: str, **_: str) -> HttpResponse:
        found, form = queries.get_hold(hold), ReleaseForm(request.POST)
        if not form.is_valid():
            return self._page(found, form, status=422)
        try:
            services.release_hold(actor=self.access.actor, hold=found, reason=form.cleaned_data["reason"])
        except (errors.Conflict, errors.InvalidRequest) as problem:
            form.add_error(None, problem.message)
            return self._page(found, form, status=422)
        messages.info(request, "The hold is released. Policies delete again from the coming night on.")
        return self.back()

    def _page(self, hold: LegalHold, form: ReleaseForm, status: int = 200) -> HttpResponse:
        return self.render("retention/release_hold.html", {"hold": hold, "form": form}, status=status)


def _named(project: Project, name: str) -> Prompt | None:
    return Prompt.objects.filter(project=project, name=name.strip()).first() if name.strip() else None
