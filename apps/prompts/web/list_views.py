"""The list of prompts and the page that makes one."""

from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect

from apps.core.errors import Conflict, InvalidRequest
from apps.core.tables import Action, Asked
from apps.prompts import grants, library, services
from apps.prompts.library import Archived
from apps.prompts.models import Prompt
from apps.prompts.types import VersionContent
from apps.prompts.web.listing import PROMPTS, matching, read
from apps.prompts.web.presenting import PromptPage, SharedPromptsPage
from apps.providers.queries import default_model, model_choices
from apps.tenants.roles import Permission

NEW_FIELDS = {"name", "description", "kind", "model"}


class PromptListView(SharedPromptsPage):
    """Prompts by folder, found by words, in texts, by label and tag; chosen from and exported."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponseBase:
        visible = grants.visible_prompts(self.access, Prompt.objects.filter(project=self.project))
        asked = read(request.GET, visible)
        folder = asked.filters["folder"].strip("/")
        by_name_or_text = any((asked.search, asked.filters["label"], asked.filters["tag"]))
        listed = grants.visible_prompts(self.access, matching(self.project, asked))
        context = {
            "folder": folder,
            "crumbs": self._crumbs(folder),
            "folders": [] if by_name_or_text or asked.export or asked.count else self._folders(asked, folder),
            "actions": self._actions(asked),
            "can_edit": self.access.can(Permission.PROMPTS_EDIT),
            "sees_runs": self.access.can(Permission.RUNS_VIEW),
            "new_address": self.address("new", folder=folder),
        }
        return self.list_page(PROMPTS, asked, listed, "prompts/list.html", context)

    def _crumbs(self, folder: str) -> list[dict[str, str]]:
        parts = folder.split("/") if folder else []
        return [
            {"name": name, "href": self.address("list", folder="/".join(parts[: index + 1]))}
            for index, name in enumerate(parts)
        ]

    def _folders(self, asked: Asked, folder: str) -> list[dict[str, Any]]:
        archived = Archived(asked.filters["archived"])
        below = library.filter_prompts(self.project, folder=folder, archived=archived)
        below = grants.visible_prompts(self.access, below)
        beginning = f"{folder}/" if folder else ""
        return [
            {"name": name, "count": count, "href": asked.address(folder=f"{beginning}{name}")}
            for name, count in library.folders_in(below, folder)
        ]

    def _actions(self, asked: Asked) -> list[Action]:
        may = self.access.can(Permission.PROMPTS_EDIT)
        if not may and not grants.is_granted_somewhere(self.access, self.project, Permission.PROMPTS_EDIT):
            return []
        archive = Action("Archive", "archive", self.address("archive-chosen"))
        restore = Action("Take out of the archive", "undo", self.address("restore-chosen"))
        last = {Archived.NO.value: [archive], Archived.ONLY.value: [restore]}
        return [
            Action("Tag", "tag", self.address("tag-chosen")),
            Action("Move", "folder", self.address("move-chosen")),
            *last.get(asked.filters["archived"], [archive, restore]),
        ]


class NewPromptForm(forms.Form):
    """The first version of a prompt, in the fewest fields; the editor has the rest."""

    name = forms.CharField(
        max_length=255, help_text="A slash makes folders, as in support/reply. Programs call it by this name."
    )
    description = forms.CharField(max_length=500, required=False)
    kind = forms.ChoiceField(
        choices=[("chat", "Chat: several messages"), ("text", "Text: one message")],
        initial="chat",
        widget=forms.RadioSelect,
        label="Kind",
    )
    system = forms.CharField(
        required=False,
        strip=False,
        label="System message",
        help_text="How the model should behave. Chat prompts only.",
        widget=forms.Textarea(attrs={"rows": 3, "class": "input--mono", "spellcheck": "true"}),
    )
    content = forms.CharField(
        strip=False,
        label="User message",
        help_text="Variables stand in two braces, as in {{ review }}.",
        widget=forms.Textarea(attrs={"rows": 8, "class": "input--mono prompt-new__content"}),
    )
    model = forms.ChoiceField(label="Model", required=False)

    def __init__(self, *args: Any, models: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["model"].choices = models  # type: ignore[attr-defined]
        self.fields["model"].initial = models[0][0]

    def version_content(self) -> VersionContent:
        """What was typed, as a version's content."""
        given = self.cleaned_data
        system = ({"role": "system", "content": given["system"]},) if given["system"].strip() else ()
        return VersionContent(
            messages=(*system, {"role": "user", "content": given["content"]}), model=given["model"]
        )


class NewPromptView(PromptPage):
    """Make a prompt."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_EDIT, "POST": Permission.PROMPTS_EDIT}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        folder = request.GET.get("folder", "").strip("/")
        initial = {"name": f"{folder}/" if folder else "", "model": default_model(self.project.pk)}
        return self._page(self._form(initial=initial))

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        form = self._form(request.POST)
        if not form.is_valid():
            return self._page(form, status=422)
        try:
            prompt = services.create_prompt(
                actor=self.access.actor,
                project=self.project,
                name=form.cleaned_data["name"],
                kind=form.cleaned_data["kind"],
                description=form.cleaned_data["description"],
                content=form.version_content(),
                message="First version",
            )
        except (InvalidRequest, Conflict) as error:
            form.add_error(self._field(error.param, form), error.message)
            return self._page(form, status=422)
        return redirect(self.address("edit", prompt.public_id))

    def _form(self, data: Any = None, **kwargs: Any) -> NewPromptForm:
        return NewPromptForm(data, models=model_options(self.project.pk), **kwargs)

    @staticmethod
    def _field(param: str | None, form: NewPromptForm) -> str | None:
        if param in NEW_FIELDS:
            return param
        if param and param.startswith("messages."):
            system = bool(form.cleaned_data["system"].strip())
            return "system" if system and param.startswith("messages.0") else "content"
        return "system" if param == "messages" else None

    def _page(self, form: NewPromptForm, status: int = 200) -> HttpResponse:
        context = {"form": form, "list_address": self.address("list")}
        return self.render("prompts/new.html", context, status=status)


def model_options(project_id: Any, current: str = "") -> list[tuple[str, str]]:
    """The models of a project for a select; a model that is gone stays choosable, and says so."""
    choices = model_choices(project_id)
    options = [
        (each.reference, f"{each.label} · {'Sandbox' if each.sandbox else each.connection}")
        for each in choices
    ]
    if current and current not in {each.reference for each in choices}:
        options.insert(0, (current, f"{current} · not connected"))
    return [*options, ("", "None: the caller names it")]
