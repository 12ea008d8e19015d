"""What is true of a prompt now: its labels, how to call it, its newest version; and its name and tags."""

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse

from apps.core.errors import Conflict, InvalidRequest
from apps.prompts import queries, services
from apps.prompts.names import MAX_NAME
from apps.prompts.services.common import MAX_DESCRIPTION
from apps.prompts.types import PRODUCTION
from apps.prompts.web.label_views import LabelsPage
from apps.prompts.web.playground import playground_address
from apps.prompts.web.presenting import OnePromptPage
from apps.prompts.web.version_facts import snippets, version_facts
from apps.tenants.roles import Permission


class PropertiesForm(forms.Form):
    """A prompt's name, description and tags."""

    name = forms.CharField(
        max_length=MAX_NAME,
        help_text="Programs call the prompt by it: those that ask for the old name get “not found” within a "
        "second. The id stays.",
    )
    description = forms.CharField(max_length=MAX_DESCRIPTION, required=False)
    tags = forms.CharField(
        max_length=1_100, required=False, help_text="Divided by commas, kept in small letters."
    )


class OverviewPage(LabelsPage, abstract=True):
    """The overview, and what the dialogs over it share."""

    def overview(self, status: int = 200, **more: object) -> HttpResponse:
        """Render the page; ``dialog`` opens a dialog over it."""
        prompt = self.prompt
        labels = self.label_rows()
        numbers = {label["name"]: label["number"] for label in labels}
        latest = queries.latest_version(prompt)
        shown = self._called(latest, numbers)
        draft = queries.find_draft(prompt, self.user.pk)
        context = {
            **self.head(prompt, numbers, "detail"),
            **version_facts(latest),
            "labels": labels,
            "latest_labels": queries.labels_by_number(numbers).get(latest.number, []),
            "version_address": self.address("version", prompt.public_id, latest.number),
            "use": snippets(self.request, prompt, *shown),
            "draft": draft,
            "may_edit": self.may(Permission.PROMPTS_EDIT),
            "may_release": self.may(Permission.PROMPTS_RELEASE),
            "edit_address": self.address("edit", prompt.public_id),
            "properties_address": self.address("properties", prompt.public_id),
            "archive_address": self.address("archive", prompt.public_id),
            "restore_address": self.address("restore", prompt.public_id),
            "set_address": self.address("move", prompt.public_id),
            "playground": self._playground(),
            "runs_panel": self._panel("runs:panel"),
            "runs_page": self._panel("runs:list"),
            "figures_panel": self.figures("analytics:prompt-part"),
            "figures_page": self._panel("analytics:overview"),
            **more,
        }
        return self.render("prompts/overview.html", context, status=status)

    def _called(self, latest: Any, numbers: dict[str, int]) -> tuple[Any, list[str]]:
        """The version that the snippets call: production's, else the first label's, else the newest."""
        label = PRODUCTION if PRODUCTION in numbers else next(iter(numbers), None)
        if label is None:
            return latest, []
        number = numbers[label]
        version = latest if number == latest.number else queries.get_version(self.prompt, number)
        return version, [label]

    def _playground(self) -> str:
        if not self.access.can(Permission.RUNS_CREATE):
            return ""
        return playground_address(self.prompt, self.organization, self.project, None)

    def _panel(self, name: str) -> str:
        """An address of the room of runs that shows this prompt's; empty for who may not see runs."""
        if not self.access.can(Permission.RUNS_VIEW):
            return ""
        try:
            path = reverse(name, args=[self.organization.slug, self.project.slug])
        except NoReverseMatch:
            return ""
        return f"{path}?prompt={self.prompt.public_id}"


class OverviewView(OverviewPage):
    """A prompt's overview."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        return self.overview()


class PropertiesView(OverviewPage):
    """Change a prompt's name, description and tags."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_EDIT, "POST": Permission.PROMPTS_EDIT}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        prompt = self.prompt
        values = {"name": prompt.name, "description": prompt.description, "tags": ", ".join(prompt.tags)}
        return self._page(PropertiesForm(initial=values))

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        form = PropertiesForm(request.POST)
        if not form.is_valid():
            return self._page(form, status=422)
        actor, given = self.access.actor, form.cleaned_data
        try:
            services.rename_prompt(actor=actor, prompt=self.prompt, name=given["name"])
            services.describe_prompt(actor=actor, prompt=self.prompt, description=given["description"])
            services.set_tags(actor=actor, prompt=self.prompt, tags=given["tags"].split(","))
        except (InvalidRequest, Conflict) as error:
            form.add_error(error.param if error.param in form.fields else None, error.message)
            return self._page(form, status=422)
        messages.success(request, "The details are saved.")
        return redirect(self.address("detail", self.prompt.public_id))

    def _page(self, form: PropertiesForm, status: int = 200) -> HttpResponse:
        return self.overview(status, dialog="properties", form=form)


class ArchiveView(OverviewPage):
    """Put a prompt into the archive."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_EDIT, "POST": Permission.PROMPTS_EDIT}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        return self.overview(dialog="archive")

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        services.archive_prompt(actor=self.access.actor, prompt=self.prompt)
        messages.info(request, f"{self.prompt.name} is archived. Programs get it as before.")
        return redirect(self.address("detail", self.prompt.public_id))


class RestoreView(OnePromptPage):
    """Take a prompt out of the archive."""

    permissions: ClassVar = {"POST": Permission.PROMPTS_EDIT}

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        services.restore_prompt(actor=self.access.actor, prompt=self.prompt)
        messages.info(request, f"{self.prompt.name} is out of the archive.")
        return redirect(self.address("detail", self.prompt.public_id))
