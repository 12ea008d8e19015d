"""Pages of model aliases, and of models that their providers take away."""

from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone

from apps.core.errors import Conflict, InvalidRequest
from apps.providers import queries, retirements, services
from apps.providers.alias_queries import get_alias, list_aliases
from apps.providers.models import ModelAlias
from apps.providers.sunset import retiring_models
from apps.providers.web.alias_forms import AliasForm
from apps.providers.web.base import ProvidersPage
from apps.providers.web.listing import ALIASES
from apps.tenants.roles import Permission


class AliasesPage(ProvidersPage, abstract=True):
    """The aliases, and below them what goes; pages with a dialog show it over them."""

    def aliases_page(self, **more: Any) -> HttpResponseBase:
        """The page, with whatever a dialog needs."""
        asked = ALIASES.read(self.request.GET)
        found = list_aliases(self.project.id, search=asked.search, serves=asked.filters["serves"])
        today = timezone.now().date()
        alone = {} if asked.export or asked.count else {"retiring": retiring_models(self.project.id, today)}
        context = {
            **self.frame("aliases"),
            **alone,
            "today": today,
            "as_of": retirements.AS_OF,
            "warned_days": retirements.WARNED_DAYS,
            "sources": retirements.SOURCES,
            **more,
        }
        return self.list_page(ALIASES, asked, found, "providers/aliases.html", context)


class AliasesView(AliasesPage):
    """Names that stand for models."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponseBase:
        return self.aliases_page()


class NewAliasView(AliasesPage):
    """Add an alias; `name` and `target` in the address fill the form in."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_MANAGE, "POST": Permission.PROVIDERS_MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        given = {name: request.GET.get(name, "")[:255] for name in ("name", "target")}
        return self._form(AliasForm(may_share=self.may_share, initial=given))

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        form = AliasForm(request.POST, may_share=self.may_share)
        if form.is_valid():
            try:
                made = services.create_alias(
                    actor=self.access.actor,
                    organization=self.organization,
                    project=self.owner(every_project=form.every_project),
                    name=form.cleaned_data["name"],
                    **form.values(),
                )
            except (InvalidRequest, Conflict) as problem:
                form.add_problem(problem)
            else:
                messages.info(request, f"{made.name} stands for {made.target} now.")
                return redirect(self.address("providers:aliases"))
        return self._form(form, status=422)

    def _form(self, form: AliasForm, status: int = 200) -> HttpResponse:
        choices = [choice.reference for choice in queries.model_choices(self.project.id)]
        return self.render("providers/alias_form.html", {"form": form, "choices": choices}, status=status)


class EditAliasView(AliasesPage):
    """Point an alias elsewhere."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_MANAGE, "POST": Permission.PROVIDERS_MANAGE}

    def get(self, request: HttpRequest, alias: str, **_: str) -> HttpResponse:
        found = get_alias(self.project.id, alias)
        return self._form(AliasForm(alias=found), found)

    def post(self, request: HttpRequest, alias: str, **_: str) -> HttpResponse:
        found = get_alias(self.project.id, alias)
        form = AliasForm(request.POST, alias=found)
        if form.is_valid():
            try:
                services.change_alias(actor=self.access.actor, alias=found, **form.values())
            except InvalidRequest as problem:
                form.add_problem(problem)
            else:
                messages.info(request, f"{found.name} stands for {found.target} now.")
                return redirect(self.address("providers:aliases"))
        return self._form(form, found, status=422)

    def _form(self, form: AliasForm, found: ModelAlias, status: int = 200) -> HttpResponse:
        choices = [choice.reference for choice in queries.model_choices(self.project.id)]
        context = {"form": form, "alias": found, "choices": choices}
        return self.render("providers/alias_form.html", context, status=status)


class DeleteAliasView(AliasesPage):
    """Ask, then remove an alias."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_MANAGE, "POST": Permission.PROVIDERS_MANAGE}

    def get(self, request: HttpRequest, alias: str, **_: str) -> HttpResponseBase:
        found = get_alias(self.project.id, alias)
        return self.aliases_page(
            deleting=found,
            delete_title=f"Delete the alias {found.name}?",
            delete_text=f"What asks for {found.name} is no longer sent to {found.target}, and fails unless a "
            "model bears the name.",
            delete_address=request.path,
            aliases_address=self.address("providers:aliases"),
        )

    def post(self, request: HttpRequest, alias: str, **_: str) -> HttpResponse:
        found = get_alias(self.project.id, alias)
        services.delete_alias(actor=self.access.actor, alias=found)
        messages.info(request, f"The alias {found.name} is deleted.")
        return redirect(self.address("providers:aliases"))
