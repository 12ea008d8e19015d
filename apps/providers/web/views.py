"""Pages of provider connections."""

from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect

from apps.core import rate_limits
from apps.core.errors import Conflict, InvalidRequest
from apps.providers import queries, services, trial
from apps.providers.health_board import read_health
from apps.providers.models import ProviderCredential
from apps.providers.web.base import ProvidersPage
from apps.providers.web.forms import ConnectionForm, EnabledModelsForm
from apps.providers.web.listing import CONNECTIONS
from apps.tenants.roles import Permission

TESTS_PER_MINUTE = 10
MOST_ASKED = 200
"""Connections whose health is asked for on one page."""


class ConnectionsPage(ProvidersPage, abstract=True):
    """The list of connections; pages with a dialog show it over the list."""

    def connections_page(self, **more: Any) -> HttpResponseBase:
        """The list, with whatever a dialog needs."""
        asked = CONNECTIONS.read(self.request.GET)
        filters = asked.filters
        found = queries.list_connections(
            self.project.id,
            search=asked.search,
            api=filters["api"],
            serves=filters["serves"],
            test=filters["test"],
        )
        context = {
            **self.frame("list"),
            "choices": [choice.reference for choice in queries.model_choices(self.project.id)],
            "chosen": queries.chosen_default(self.project.id),
            "fallback": queries.FALLBACK_MODEL,
            **more,
        }
        return self.list_page(CONNECTIONS, asked, found, "providers/list.html", context)


class ListView(ConnectionsPage):
    """Connections, and the default model."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_VIEW}

    # What other processes told of the connections' health is asked between two scopes.
    scoped: ClassVar = False

    def get(self, request: HttpRequest, **_: str) -> HttpResponseBase:
        with self.scope():
            known = list(queries.credentials_of(self.project.id).values_list("id", flat=True)[:MOST_ASKED])
        health = read_health(self.organization.id, known)
        with self.scope():
            return self.connections_page(health=health)


class NewView(ConnectionsPage):
    """Add a connection."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_MANAGE, "POST": Permission.PROVIDERS_MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self._form(ConnectionForm(may_share=self.may_share))

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        form = ConnectionForm(request.POST, may_share=self.may_share)
        if form.is_valid():
            try:
                made = services.create_connection(
                    actor=self.access.actor,
                    organization=self.organization if form.every_project else None,
                    project=self.owner(every_project=form.every_project),
                    name=form.cleaned_data["name"],
                    api=form.chosen_api,
                    **form.values(),
                )
            except (InvalidRequest, Conflict) as problem:
                form.add_problem(problem)
            else:
                messages.info(request, f"{made.name} is saved. Test it to see whether it answers.")
                return redirect(self.address("providers:list"))
        return self._form(form, status=422)

    def _form(self, form: ConnectionForm, status: int = 200) -> HttpResponse:
        return self.render("providers/form.html", {"form": form}, status=status)


class EditView(ConnectionsPage):
    """Change a connection, or replace its key."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_MANAGE, "POST": Permission.PROVIDERS_MANAGE}

    def get(self, request: HttpRequest, connection: str, **_: str) -> HttpResponse:
        found = self.found(connection)
        return self._form(ConnectionForm(credential=found), found)

    def post(self, request: HttpRequest, connection: str, **_: str) -> HttpResponse:
        found = self.found(connection)
        form = ConnectionForm(request.POST, credential=found)
        if form.is_valid():
            try:
                services.update_connection(actor=self.access.actor, credential=found, **form.values())
            except InvalidRequest as problem:
                form.add_problem(problem)
            else:
                messages.info(request, f"{found.name} is saved.")
                return redirect(self.address("providers:list"))
        return self._form(form, found, status=422)

    def _form(self, form: ConnectionForm, found: ProviderCredential, status: int = 200) -> HttpResponse:
        return self.render("providers/form.html", {"form": form, "connection": found}, status=status)


class ModelsView(ConnectionsPage):
    """Choose which models of a connection can be called."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_MANAGE, "POST": Permission.PROVIDERS_MANAGE}

    def get(self, request: HttpRequest, connection: str, **_: str) -> HttpResponse:
        found = self.found(connection)
        return self._form(EnabledModelsForm(credential=found), found)

    def post(self, request: HttpRequest, connection: str, **_: str) -> HttpResponse:
        found = self.found(connection)
        form = EnabledModelsForm(request.POST, credential=found)
        if form.is_valid():
            try:
                services.update_connection(actor=self.access.actor, credential=found, models=form.models())
            except InvalidRequest as problem:
                form.add_problem(problem)
            else:
                messages.info(request, f"The models of {found.name} are saved.")
                return redirect(self.address("providers:list"))
        return self._form(form, found, status=422)

    def _form(self, form: EnabledModelsForm, found: ProviderCredential, status: int = 200) -> HttpResponse:
        return self.render("providers/models.html", {"form": form, "connection": found}, status=status)


class DefaultModelView(ConnectionsPage):
    """Choose the model that new prompts begin with."""

    permissions: ClassVar = {"POST": Permission.PROVIDERS_MANAGE}

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        reference = request.POST.get("model", "")
        try:
            services.set_default_model(actor=self.access.actor, project=self.project, reference=reference)
        except InvalidRequest as problem:
            messages.error(request, problem.message)
        else:
            messages.info(request, f"New prompts begin with {reference or queries.FALLBACK_MODEL}.")
        return redirect(self.address("providers:list"))


class DeleteView(ConnectionsPage):
    """Say what uses a connection, then delete it."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_MANAGE, "POST": Permission.PROVIDERS_MANAGE}

    def get(self, request: HttpRequest, connection: str, **_: str) -> HttpResponseBase:
        found = self.found(connection)
        chosen = queries.chosen_default(self.project.id)
        return self.connections_page(
            deleting=found,
            delete_address=request.path,
            list_address=self.address("providers:list"),
            holds_default=chosen if chosen.startswith(f"{found.name}/") else "",
        )

    def post(self, request: HttpRequest, connection: str, **_: str) -> HttpResponse:
        found = self.found(connection)
        services.delete_connection(actor=self.access.actor, credential=found)
        messages.info(request, f"{found.name} is deleted.")
        return redirect(self.address("providers:list"))


class TestView(ConnectionsPage):
    """Make a test call: read in one scope, call outside of any, store in another."""

    permissions: ClassVar = {"POST": Permission.PROVIDERS_MANAGE}
    scoped: ClassVar = False

    def post(self, request: HttpRequest, connection: str, **_: str) -> HttpResponse:
        rate_limits.check("connection_test", str(self.project.id), TESTS_PER_MINUTE, 60).enforce()
        with self.scope():
            opened = queries.unsealed(self.found(connection))
        outcome = trial.run_test(opened)
        with self.scope():
            found = self.found(connection)
            services.store_test_result(actor=self.access.actor, credential=found, outcome=outcome)
        say = messages.success if outcome.passed else messages.error
        say(request, f"{found.name}: {outcome.message}")
        if request.POST.get("next") == "models":
            return redirect(self.address("providers:models", found.public_id))
        return redirect(self.address("providers:list"))
