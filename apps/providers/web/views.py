"""Pages of provider connections."""

from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from apps.core import rate_limits
from apps.core.errors import Conflict, InvalidRequest
from apps.providers import queries, services, trial
from apps.providers.catalogue import models_with_prices
from apps.providers.models import ProviderCredential
from apps.providers.web.forms import ConnectionForm
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

TESTS_PER_MINUTE = 10


class ConnectionsPage(ProjectView, abstract=True):
    """The list of connections; pages with a dialog show it over the list."""

    def page(self, **more: Any) -> HttpResponse:
        """The list, with whatever a dialog needs."""
        context = {
            "connections": queries.credentials_of(self.project.id).order_by("name"),
            "models": models_with_prices(self.project.id),
            "may_manage": self.access.can(Permission.PROVIDERS_MANAGE),
        }
        return self.render("providers/list.html", {**context, **more})

    def address(self, name: str = "list", *more: str) -> str:
        """The address of one of the room's pages."""
        return reverse(f"providers:{name}", args=[self.organization.slug, self.project.slug, *more])

    def found(self, public_id: str) -> ProviderCredential:
        """The connection that the address names. Raises NotFound."""
        return queries.get_credential(self.project.id, public_id)


class ListView(ConnectionsPage):
    """Connections, and the models that the project can name with their prices."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self.page()


class NewView(ConnectionsPage):
    """Add a connection."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_MANAGE, "POST": Permission.PROVIDERS_MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self._form(ConnectionForm())

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        form = ConnectionForm(request.POST)
        if form.is_valid():
            try:
                made = services.create_connection(
                    actor=self.access.actor,
                    project=self.project,
                    name=form.cleaned_data["name"],
                    **form.values(),
                )
            except (InvalidRequest, Conflict) as problem:
                form.add_problem(problem)
            else:
                messages.info(request, f"{made.name} is saved. Test it to see whether it answers.")
                return redirect(self.address())
        return self._form(form, status=422)

    def _form(self, form: ConnectionForm, status: int = 200) -> HttpResponse:
        return self.render("providers/form.html", {"form": form}, status=status)


class EditView(ConnectionsPage):
    """Change a connection."""

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
                return redirect(self.address())
        return self._form(form, found, status=422)

    def _form(self, form: ConnectionForm, found: ProviderCredential, status: int = 200) -> HttpResponse:
        return self.render("providers/form.html", {"form": form, "connection": found}, status=status)


class DeleteView(ConnectionsPage):
    """Ask, then delete a connection."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_MANAGE, "POST": Permission.PROVIDERS_MANAGE}

    def get(self, request: HttpRequest, connection: str, **_: str) -> HttpResponse:
        found = self.found(connection)
        return self.page(
            deleting=found,
            delete_title=f"Delete {found.name}?",
            delete_address=request.path,
            list_address=self.address(),
        )

    def post(self, request: HttpRequest, connection: str, **_: str) -> HttpResponse:
        found = self.found(connection)
        services.delete_connection(actor=self.access.actor, credential=found)
        messages.info(request, f"{found.name} is deleted.")
        return redirect(self.address())


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
        return redirect(self.address())
