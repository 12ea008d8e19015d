"""Pages of webhooks: list, form, one webhook with its log, its secret, and the catalogue of events."""

from itertools import groupby
from typing import Any, ClassVar, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect

from apps.core import rate_limits
from apps.core.errors import Conflict, InvalidRequest
from apps.notifications import queries, schedule, services
from apps.notifications.catalogue import EVENT_TYPES
from apps.notifications.models import WebhookEndpoint
from apps.notifications.web.examples import examples
from apps.notifications.web.forms import WebhookForm
from apps.notifications.web.listing import WEBHOOKS, delivery_rows, webhook_rows
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

MANAGE: Final = Permission.WEBHOOKS_MANAGE
DELIVERIES_SHOWN: Final = 10
TESTS_PER_MINUTE: Final = 20


class WebhooksPage(ProjectView, abstract=True):
    """What the pages of webhooks share."""

    def found(self, public_id: str) -> WebhookEndpoint:
        """The webhook that the address names. Raises NotFound."""
        return queries.get_endpoint(self.project, public_id)

    def secret_page(self, webhook: WebhookEndpoint, secret: str, *, rotated: bool = False) -> HttpResponse:
        """The one page that shows a secret: nobody may keep a copy of it."""
        context = {"webhook": webhook, "secret": secret, "rotated": rotated, "examples": examples()}
        response = self.render("notifications/secret.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response


class ListView(WebhooksPage):
    """The project's webhooks."""

    permissions: ClassVar = {"GET": MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponseBase:
        asked = WEBHOOKS.read(request.GET)
        found = queries.list_endpoints(self.project, search=asked.search, state=asked.filters["state"])
        return self.list_page(WEBHOOKS, asked, found, "notifications/list.html", {})


class NewView(WebhooksPage):
    """Add a webhook. Its secret is shown on the answer to the form, and nowhere afterwards."""

    permissions: ClassVar = {"GET": MANAGE, "POST": MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self.render("notifications/form.html", {"form": WebhookForm()})

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        form = WebhookForm(request.POST)
        if form.is_valid():
            try:
                webhook, secret = services.create_endpoint(
                    actor=self.access.actor, project=self.project, **form.cleaned_data
                )
            except InvalidRequest as problem:
                form.add_problem(problem)
            else:
                return self.secret_page(webhook, secret)
        return self.render("notifications/form.html", {"form": form}, status=422)


class EditView(WebhooksPage):
    """Change a webhook."""

    permissions: ClassVar = {"GET": MANAGE, "POST": MANAGE}

    def get(self, request: HttpRequest, webhook: str, **_: str) -> HttpResponse:
        found = self.found(webhook)
        context = {"form": WebhookForm(webhook=found), "webhook": found}
        return self.render("notifications/form.html", context)

    def post(self, request: HttpRequest, webhook: str, **_: str) -> HttpResponse:
        found, form = self.found(webhook), WebhookForm(request.POST)
        if form.is_valid():
            try:
                services.update_endpoint(actor=self.access.actor, endpoint=found, **form.cleaned_data)
            except InvalidRequest as problem:
                form.add_problem(problem)
            else:
                messages.info(request, "The webhook is saved. It holds for the next event.")
                return redirect(self.address("notifications:endpoint", found.public_id))
        context = {"form": form, "webhook": found}
        return self.render("notifications/form.html", context, status=422)


class WebhookPage(WebhooksPage, abstract=True):
    """The page of one webhook; questions stand over it."""

    def webhook_page(self, webhook: WebhookEndpoint, dialog: str = "") -> HttpResponse:
        """The webhook with the newest of its deliveries."""
        newest = queries.list_deliveries(self.project, endpoint=webhook).order_by("-pk")[:DELIVERIES_SHOWN]
        context = {
            "webhook": webhook,
            "row": webhook_rows([webhook])[0],
            "deliveries": delivery_rows(list(newest)),
            "dialog": dialog,
            "hours": int(services.OVERLAP.total_seconds() // 3600),
            "most_attempts": schedule.MOST_ATTEMPTS,
        }
        return self.render("notifications/webhook.html", context)


class WebhookView(WebhookPage):
    """One webhook: how it is doing, and what was sent."""

    permissions: ClassVar = {"GET": MANAGE}

    def get(self, request: HttpRequest, webhook: str, **_: str) -> HttpResponse:
        return self.webhook_page(self.found(webhook))


class RotateView(WebhookPage):
    """Ask, then make the next secret."""

    permissions: ClassVar = {"GET": MANAGE, "POST": MANAGE}

    def get(self, request: HttpRequest, webhook: str, **_: str) -> HttpResponse:
        return self.webhook_page(self.found(webhook), dialog="rotate")

    def post(self, request: HttpRequest, webhook: str, **_: str) -> HttpResponse:
        found, secret = services.rotate_secret(actor=self.access.actor, endpoint=self.found(webhook))
        return self.secret_page(found, secret, rotated=True)


class EnableView(WebhooksPage):
    """Turn a webhook on or off."""

    permissions: ClassVar = {"POST": MANAGE}

    def post(self, request: HttpRequest, webhook: str, **_: str) -> HttpResponse:
        wanted = request.POST.get("enabled") == "1"
        found = services.update_endpoint(
            actor=self.access.actor, endpoint=self.found(webhook), enabled=wanted
        )
        told = "is on. What waits is sent now." if wanted else "is off. Nothing more is sent."
        messages.info(request, f"The webhook {told}")
        return redirect(self.address("notifications:endpoint", found.public_id))


class TestView(WebhooksPage):
    """Send an event `webhook.test`, and show what becomes of it."""

    permissions: ClassVar = {"POST": MANAGE}

    def post(self, request: HttpRequest, webhook: str, **_: str) -> HttpResponse:
        rate_limits.check("webhook_test", str(self.project.id), TESTS_PER_MINUTE, 60).enforce()
        found = self.found(webhook)
        try:
            delivery = services.send_test(actor=self.access.actor, endpoint=found)
        except Conflict as problem:
            messages.error(request, problem.message)
            return redirect(self.address("notifications:endpoint", found.public_id))
        return redirect(self.address("notifications:delivery", delivery.public_id))


class DeleteView(WebhookPage):
    """Ask, then delete."""

    permissions: ClassVar = {"GET": MANAGE, "POST": MANAGE}

    def get(self, request: HttpRequest, webhook: str, **_: str) -> HttpResponse:
        return self.webhook_page(self.found(webhook), dialog="delete")

    def post(self, request: HttpRequest, webhook: str, **_: str) -> HttpResponse:
        services.delete_endpoint(actor=self.access.actor, endpoint=self.found(webhook))
        messages.info(request, "The webhook is deleted.")
        return redirect(self.address("notifications:list"))


class EventsView(WebhooksPage):
    """What webhooks tell of, how a message looks, and how to check that it is ours."""

    permissions: ClassVar = {"GET": MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        groups: list[tuple[str, list[Any]]] = [
            (words, list(types)) for words, types in groupby(EVENT_TYPES, key=lambda each: each.group)
        ]
        context = {
            "groups": groups,
            "examples": examples(),
            "most_attempts": schedule.MOST_ATTEMPTS,
        }
        return self.render("notifications/events.html", context)
