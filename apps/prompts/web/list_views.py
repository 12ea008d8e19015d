"""The list of prompts and the page that makes one."""

from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core.errors import Conflict, InvalidRequest
from apps.prompts import grants, queries, services
from apps.prompts.models import Prompt
from apps.prompts.types import LATEST, VersionContent
from apps.prompts.web.presenting import PromptPage, SharedPromptsPage
from apps.providers.queries import model_choices
from apps.tenants.roles import Permission

NEW_FIELDS = {"name", "description", "kind", "model"}


class PromptListView(SharedPromptsPage):
    """Prompts by folder, or found by words and label."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        search = request.GET.get("q", "").strip()[:200]
        label = request.GET.get("label", "")
        folder = request.GET.get("folder", "").strip("/")
        found = queries.list_prompts(self.project, search=search, label=label, folder=folder)
        found = grants.visible_prompts(self.access, found)
        flat = bool(search or label)
        page = queries.prompt_page(
            queries.with_labels(found if flat else queries.directly_in(found, folder)),
            after=request.GET.get("after", ""),
        )
        labels = [name for name in queries.label_names(self.project) if name != LATEST]
        context = {
            "search": search,
            "label": label,
            "label_options": [("", "Any label"), *((name, name) for name in labels)] if labels else [],
            "folder": folder,
            "crumbs": self._crumbs(folder),
            "folders": [] if flat or request.GET.get("after") else self._folders(found, folder),
            "rows": [self._row(prompt, folder if not flat else "") for prompt in page.rows],
            "older": self.address("list", q=search, label=label, folder=folder, after=page.next_cursor),
            "has_older": bool(page.next_cursor),
            "can_edit": self.access.can(Permission.PROMPTS_EDIT),
            "new_address": self.address("new", folder=folder),
        }
        return self.render("prompts/list.html", context)

    def _crumbs(self, folder: str) -> list[dict[str, str]]:
        parts = folder.split("/") if folder else []
        return [
            {"name": name, "href": self.address("list", folder="/".join(parts[: index + 1]))}
            for index, name in enumerate(parts)
        ]

    def _folders(self, found: Any, folder: str) -> list[dict[str, Any]]:
        beginning = f"{folder}/" if folder else ""
        return [
            {"name": name, "count": count, "href": self.address("list", folder=f"{beginning}{name}")}
            for name, count in queries.folders_in(found, folder)
        ]

    def _row(self, prompt: Prompt, folder: str) -> dict[str, Any]:
        return {
            "name": prompt.name[len(folder) + 1 :] if folder else prompt.name,
            "href": self.address("detail", prompt.public_id),
            "description": prompt.description,
            "labels": [
                {"name": name, "number": number, "href": self.address("version", prompt.public_id, number)}
                for name, number in queries.loaded_labels(prompt).items()
            ],
            "latest_number": prompt.latest_number,
            "changed_at": prompt.changed_at,
            "changed_by": prompt.changed_by,
        }


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
        return self._page(self._form(initial={"name": f"{folder}/" if folder else ""}))

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
